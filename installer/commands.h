/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands. Each returns an exit status; main.c has the table. */
#ifndef INSTALLER_COMMANDS_H
#define INSTALLER_COMMANDS_H

#include "installer/device.h"

/* CONFIG: the argument of -c, or NULL. ARGV[0] is the subcommand's name. */
int command_install(const char *config, int argc, char **argv);
int command_fit(const char *config, int argc, char **argv);
int command_boot_check(const char *config, int argc, char **argv);
int command_commit(const char *config, int argc, char **argv);
int command_rollback(const char *config, int argc, char **argv);
int command_mark_bad(const char *config, int argc, char **argv);
int command_adopt(const char *config, int argc, char **argv);
int command_status(const char *config, int argc, char **argv);

/* For commands whose options are all common ones: how many operands there are is judged too. -1: go on at
 * optind; otherwise the exit status. HELP: NULL-terminated lines. */
int command_options(int argc, char **argv, const char *const *help, int min, int max);

#endif
