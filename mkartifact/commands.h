/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands. Each parses its own options (ARGV[0] is the program) and returns an exit status. */
#ifndef MK_COMMANDS_H
#define MK_COMMANDS_H

int mk_create(int argc, char **argv);
int mk_sign(int argc, char **argv);
int mk_digest(int argc, char **argv);
int mk_attach(int argc, char **argv);
int mk_delta(int argc, char **argv);
int mk_keygen(int argc, char **argv);
int mk_disk(int argc, char **argv);

#endif
