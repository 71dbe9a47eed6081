#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --help, man page and completion of each program name the same options; man pages are clean.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires python3 bash
missing=

step "man pages"
(cd "$top_src" && find . -name '*.[1-8]' -not -path './build*' -not -path './out/*' -not -path './autom4te.cache/*') |
	sed "s|^\.|$top_src|" >"$tmp/pages"
[ -s "$tmp/pages" ] || fail "no man page at all"
if command -v mandoc >/dev/null; then
	while read -r page; do
		mandoc -T lint -W warning "$page" || fail "mandoc complains about $page"
		for section in NAME SYNOPSIS DESCRIPTION "EXIT STATUS" EXAMPLES; do
			case $page in
			*.5) continue ;;
			esac
			grep -q "^\.Sh $section\$" "$page" || fail "$page has no section $section"
		done
	done <"$tmp/pages"
fi

# Options by --help (of the program and of each command), by the man page, by completion.
cat >"$tmp/compare.py" <<'END'
import re, subprocess, sys
program, name, page, completion = sys.argv[1:]

def output(*args, **kw):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, **kw)
    assert p.returncode == 0, "%r: status %d: %s" % (args, p.returncode, p.stderr)
    return p.stdout

def commands_of(text):
    usage = re.findall(r"^(?:usage:|Usage:|      ) %s ([a-z][a-z-]*)\b" % re.escape(name), text, re.M)
    listed = re.findall(r"^  ([a-z][a-z-]*)(?: [A-Z][^ ]*)*  +[a-z]", text, re.M)
    return sorted(set(usage + listed))

def options_of(text):
    long = set(re.findall(r"^ +(?:-[A-Za-z0-9], )?(--[a-z][a-z0-9-]*)", text, re.M))
    short = set(re.findall(r"^ +(-[A-Za-z0-9]),? ", text, re.M))
    return long, short

texts = {"": output(program, "--help")}
commands = commands_of(texts[""])
assert commands, "no command is listed by --help of " + name
for c in commands:
    texts[c] = output(program, c, "--help")
helped = set().union(*(options_of(t)[0] for t in texts.values()))
helped_short = set().union(*(options_of(t)[1] for t in texts.values()))
assert {"--help", "--version", "--quiet", "--verbose"} <= helped, "common options are missing: %r" % helped

source = open(page).read()
manned = {"--" + o for o in re.findall(r"\bFl -([a-z][a-z0-9-]*)", source)}
manned |= {"--" + o for l in re.findall(r"^\.It Fl.*", source, re.M) for o in re.findall(r" -([a-z][a-z0-9-]+)", l)}
manned_short = set()
for line in re.findall(r"^\.It Fl (.*)", source, re.M):
    manned_short |= {"-" + o for o in re.findall(r"(?:^|Fl |, )([A-Za-z0-9])\b(?!-)", line)}
faults = []
for what, a, b in (("--help", helped | helped_short, manned | manned_short), ("man page", manned | manned_short, helped | helped_short)):
    faults += ["%s: %s only in %s" % (name, o, what) for o in sorted(a - b)]
for c in commands:
    if not re.search(r"^\.(It )?Cm %s\b" % re.escape(c), source, re.M):
        faults.append("%s: command %s is not in the man page" % (name, c))

def complete(*words):
    script = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); . "$0"; _twinroot; printf "%s\\n" "${COMPREPLY[@]}"'
    return set(output("bash", "-c", script, completion, program, *words).split())

if complete("") != set(commands):
    faults.append("%s: completion of commands gives %r" % (name, complete("")))
for c in commands:
    due = options_of(texts[c])[0]
    if complete(c, "--") != due:
        faults.append("%s %s: completion and --help differ: %r" % (name, c, complete(c, "--") ^ due))
if complete(commands[0], "--progress", "j") != {"json"}:
    faults.append(name + ": completion of --progress")
print("\n".join(faults) or "%s: %d options, %d commands" % (name, len(helped), len(commands)))
sys.exit(1 if faults else 0)
END

for name in mkartifact artifact-inspect artifact-install; do
	step "$name"
	program=
	for p in "$top_build/$name" "$top_build/$name/$name"; do
		if [ -f "$p" ]; then program=$p; fi
	done
	# One manual serves all builds; its options are those of a whole one.
	if [ "$name" = mkartifact ] && [ -n "$program" ] && ! "$program" --help | grep -q '^  disk '; then
		program=
	fi
	page=$(grep "/$name\.[1-8]\$" "$tmp/pages" || :)
	if [ -z "$program" ] || [ -z "$page" ]; then
		echo "not built, or without a man page: $name"
		missing="$missing $name"
		continue
	fi
	python3 "$tmp/compare.py" "$program" "$name" "$page" "$top_src/completions/$name" || fail "$name"
done

[ -z "$missing" ] || skip "the others agree, but there is no program or no man page:$missing"
