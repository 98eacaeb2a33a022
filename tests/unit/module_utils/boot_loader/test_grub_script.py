# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import time

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import grub_script, grub_shell
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from hypothesis import given, settings
from hypothesis import strategies as st

CONFIG = "(boot)/boot/grub/grub.cfg"


class Disk(grub_shell.Surroundings):
    """What GRUB finds: files by name, and one environment block."""

    def __init__(self, files, block=None, platform="pc"):
        self.files = files
        self.block = {} if block is None else block
        self.platform = platform

    def kind(self, path, root):
        return "file" if path in self.files else ""

    def read(self, path, root):
        return self.files[path], path

    def environment(self, path, root):
        return self.block


def start(text, block=None, platform="pc", **files):
    return grub_shell.start(Disk(dict(files, **{CONFIG: text}), block, platform), CONFIG)


def arguments(text):
    """The arguments that a command gets."""
    return list(start("set v='p  q'\nset e=\nset star=*\nlinux " + text + "\n").loaded.arguments)


def value(text, name="x", **surroundings):
    """A variable's value after the commands."""
    return start(text, **surroundings).environment.get(name)


# The results of these two tables, and of default_item's in test_grub.py, are those of GRUB 2.06 itself, started
# in a virtual machine.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k a b", ["a", "b"]),
        ("k 'a b' \"c d\"", ["a b", "c d"]),
        ("k a'b c'\"d e\"f", ["ab cd ef"]),
        ('k a\\ b a\\\\b \'a\\\\b\' "a\\\\b" "a\\b" a\\b', ["a b", "a\\b", "a\\\\b", "a\\b", "a\\b", "ab"]),
        ("k 'it'\\''s' \"say \\\"x\\\"\"", ["it's", 'say "x"']),
        ("k a\\\nb c \\\n  d", ["ab", "c", "d"]),
        ("k $v \"$v\" '$v' \\$v ${v}r x$v", ["p", "q", "p  q", "$v", "$v", "p", "qr", "xp", "q"]),
        ('k $e a$e "$e" $unset \'\' ""', ["a", "", "", ""]),
        ("k $star a* \\* ?", ["*", "a*", "*", "?"]),
        ("k a#b # a comment", ["a#b"]),
        ("k if fi done then else", ["if", "fi", "done", "then", "else"]),
        ("k root=UUID=1 quiet; set x=1", ["root=UUID=1", "quiet"]),
    ],
)
def test_words_become_arguments_as_in_grub(text, expected):
    assert arguments(text) == expected


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("a", True),
        ('""', False),
        ("-n a", True),
        ("-z ''", True),
        ("$unset", True),  # No word at all: GRUB has nothing to object.
        ("xy = x$unset", False),
        ("x$unset = x", True),
        ("a == a", True),
        ("a != a", False),
        ("! a = b", True),
        ("! a = a", False),
        ("a = a -a b = c", False),
        ("a = a -o b = c", True),
        ("a = b -o b = b -a c = c", True),
        ("0x10 -eq 16", True),
        ("010 -eq 8", True),
        ("-3 -lt 2", True),
        ("vmlinuz-2 -plt vmlinuz-11", True),
        ("vmlinuz-2 -pgt vmlinuz-11", False),
        ("( a = b -o c = c ) -a d = d", True),
        ("-f /there", True),
        ("-s /there", True),
        ("-e /there", True),
        ("-d /there", False),
        ("-f /elsewhere", False),
    ],
)
def test_expressions_are_judged_as_in_grub(expression, holds):
    for command in ("[ %s ]", "test %s"):
        text = "if %s; then set x=yes; else set x=no; fi\n" % (command % expression)
        assert value(text, **{"/there": "content"}) == ("yes" if holds else "no")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set x=1", "1"),
        ("x=1", "1"),
        ("set x='a b' y", "a b"),
        ("set x=1\nunset x", ""),
        ("set y=2; set x=$y", "2"),
        ("if false; then x=1; elif true; then x=2; else x=3; fi", "2"),
        ("if ! false\nthen\n\n x=1\nfi", "1"),
        ("for i in a b c; do x=$x$i; done", "abc"),
        ("for i in a b c; do if [ $i = b ]; then continue; fi; x=$x$i; done", "ac"),
        ("for i in a b; do for j in 1 2; do x=$x$i$j; break 2; done; done", "a1"),
        ("while [ x$x != xiii ]; do x=${x}i; done", "iii"),
        ("until [ x$x = xii ]; do x=${x}i; done", "ii"),
        ("function f {\n x=\"$#:$1:$2:$*\"\n}\nf a 'b c'", "2:a:b c:a b c"),
        ('function f {\n for i in "$@"; do x="$x<$i>"; done\n}\nf a \'b c\'', "<a><b c>"),
        ("function f {\n x=1\n return\n x=2\n}\nf", "1"),
        ("function f {\n return 1\n}\nif f; then x=yes; else x=no; fi", "no"),
        ("function f {\n shift\n x=$1\n}\nf a b", "b"),
        ("eval 'x=1; x=2'", "2"),
        ("nosuchcommand a b; x=$?", "0"),
        ("false; x=$?", "1"),
        ("set root=(hd0,1); x=$root", "hd0,1"),
        ("search --no-floppy --fs-uuid --set=x --hint-bios=hd0,gpt1 1-2", "fs-uuid/1-2"),
        ("search --no-floppy --label BOOT --set x", "label/BOOT"),
        ("search -u 1-2 -s x", "fs-uuid/1-2"),
        ("search.fs_uuid 1-2 x hd0,gpt1", "fs-uuid/1-2"),
        ("search --set --file /a; x=$root", "file//a"),
        ("if cmostest 0x5:1; then x=pressed; else x=released; fi", "released"),
        ("if loadfont unicode; then x=1; fi", "1"),
        ("fwsetup --is-supported; x=$?", "1"),
        ("x=$grub_platform-$grub_cpu", "pc-i386"),
        ("source /there", "sourced"),
        (". /elsewhere; x=$?", "1"),
        ("x=$config_directory", "(boot)/boot/grub"),
    ],
)
def test_commands_leave_the_variables_that_grub_would_have(text, expected):
    assert value(text, **{"/there": "x=sourced\n"}) == expected


@pytest.mark.parametrize(
    ("text", "block", "expected"),
    [
        ("load_env", {"x": "1", "next_entry": "3"}, ("1", "")),
        ("load_env x", {"x": "1", "y": "2"}, ("1", "")),
        ("load_env -f /elsewhere --skip-sig x", {"x": "1"}, ("1", "")),
        ("load_env y", {"x": "1"}, ("", "")),
        ("load_env", {"saved_entry": "once", "prev_saved_entry": "x"}, ("", "")),
    ],
)
def test_load_env_leaves_out_what_is_for_one_start_only(text, block, expected):
    shell = start(text, block=block)
    assert (shell.environment.get("x"), shell.environment.get("next_entry")) == expected


@pytest.mark.parametrize(
    ("block", "one_shot", "saved_entry"),
    [
        ({}, None, None),
        ({"next_entry": "", "saved_entry": "a"}, None, "a"),
        ({"next_entry": "b", "saved_entry": "a"}, "b", "a"),
        ({"saved_entry": "once", "prev_saved_entry": "a"}, "once", "a"),
    ],
)
def test_the_one_shot_entry_is_told_from_the_lasting_one(block, one_shot, saved_entry):
    assert grub_shell.one_shot(block) == one_shot
    assert grub_shell.without_one_shot(block).get("saved_entry") == saved_entry


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("menuentry a { true; }", [("a", "a", False)]),
        ("menuentry 'a b' --class x --unrestricted --id i { true; }", [("a b", "i", False)]),
        ("menuentry --id=i a $unset { true\n}", [("a", "i", False)]),
        ("menuentry a $menuentry_id_option i { true; }", [("a", "a", False)]),
        ("set menuentry_id_option=--id\nmenuentry a $menuentry_id_option i {\n true\n}", [("a", "i", False)]),
        ("submenu s { menuentry a { true; }; }", [("s", "s", True)]),
        ("menuentry a --source 'linux /k'", [("a", "a", False)]),
        ("menuentry a", []),
        ("menuentry { true; }", []),
        ("menuentry a --id { true; }", []),
        ("if false; then menuentry a { true; }; else menuentry b { true; }; fi", [("b", "b", False)]),
        ('function add {\n menuentry "$1" { true; }\n}\nadd a; add b', [("a", "a", False), ("b", "b", False)]),
        ("menuentry a { true; }\nconfigfile /there", [("c", "c", False)]),
        ("menuentry a { true; }\nconfigfile /elsewhere", [("a", "a", False)]),
        ("source /there; menuentry a { true; }", [("c", "c", False), ("a", "a", False)]),
    ],
)
def test_the_menu_has_the_items_that_grub_would_show(text, items):
    menu = start(text, **{"/there": "menuentry c { true; }\n"}).menu
    assert [(item.title, item.id, item.submenu) for item in menu] == items


def test_an_entry_sees_all_variables_and_a_submenu_only_exported_ones():
    shell = start(
        "set a=1; set b=2; export b\nfunction show {\n set seen=$1-$2-$chosen\n}\n"
        'menuentry \'e>1\' { show "$a" "$b"; }\n'
        'submenu s { show "$a" "$b"; }\n'
    )
    entry, submenu = [shell.choose(item) for item in shell.menu]
    assert entry.environment.get("seen") == "1-2-e>>1"
    assert submenu.environment.get("seen") == "-2-s"
    assert shell.environment.get("seen") == ""


@pytest.mark.parametrize(
    ("body", "loaded", "initrds"),
    [
        ("linux /k a b\ninitrd /i", ("linux", "/k", ("a", "b")), ["/i"]),
        ("linuxefi /k\ninitrdefi /i /j", ("linux", "/k", ()), ["/i", "/j"]),
        ("linux16 /k\ninitrd16 /i", ("linux", "/k", ()), ["/i"]),
        ("linux /k", ("linux", "/k", ()), []),
        ("initrd /i\nlinux /k", ("linux", "/k", ()), []),
        ("linux /k\nboot\nlinux /l", ("linux", "/k", ()), []),
        ("linux /k\nif true; then return; fi\nlinux /l", ("linux", "/k", ()), []),
        ("linux /k\nchainloader /w", ("chainloader", "/w", ()), []),
        ("fwsetup", None, []),
    ],
)
def test_an_entry_loads_what_grub_would_start(body, loaded, initrds):
    shell = start("menuentry a {\n%s\n}\n" % body)
    chosen = shell.choose(shell.menu[0])
    found = None if chosen.loaded is None else (chosen.loaded.command, chosen.loaded.path, chosen.loaded.arguments)
    assert found == loaded
    if loaded is not None and loaded[0] == "linux":
        assert [initrd.path for initrd in chosen.initrds] == initrds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("if regexp a $b; then x=1; fi", "line 1 decides by the command regexp"),
        ("insmod regexp\nfor k in /boot/vmlinuz-*; do x=$k; done", "line 2 uses the file name pattern"),
        ("menuentry a { true; }\nexit", "line 2: GRUB leaves the menu here"),
        ("for k in /boot/vmlinuz-*; do x=$k; done", None),
        ("insmod regexp\nlinux /k vga='*'", None),
    ],
)
def test_what_only_grub_can_answer_makes_the_result_uncertain(text, reason):
    uncertain = start(text).uncertain
    assert uncertain is None if reason is None else reason in uncertain


def test_entries_of_boot_loader_spec_files_are_refused():
    with pytest.raises(KexecError, match=r"grub.cfg line 2: .* Boot Loader Spec files .* no folder of them"):
        start("insmod blscfg\nblscfg\n")
    assert start("if false; then blscfg; fi\n").menu == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\nb 'c", "line 2: the quotation that begins here has no end"),
        ('a "b\nc', "line 1: the quotation that begins here has no end"),
        ("a\n$ b", "line 2: $ is not followed by the name of a variable"),
        ('echo "costs $ 5"', "line 1: $ is not followed by the name of a variable"),
        ("a && b", "line 1: '&&' instead of a semicolon or the end of the line"),
        ("a | b", "line 1: '|' instead of a semicolon or the end of the line"),
        ("menuentry x {\nlinux /k\n", "line 3: the end of the file instead of a command"),
        ("menuentry x { }", "line 1: '}' instead of a command"),
        ("menuentry x {\na\n} b", "line 3: a word instead of a semicolon or the end of the line"),
        ("if true\nthen a", "line 2: the end of the file instead of a semicolon or the end of the line"),
        ("if true; then a; fi fi", "line 1: 'fi' instead of a semicolon or the end of the line"),
        ("if true; then fi", "line 1: 'fi' instead of a command"),
        ("fi", "line 1: 'fi' instead of a command"),
        ("}", "line 1: '}' instead of a command"),
        ("a;;b", "line 1: ';;' instead of a semicolon or the end of the line"),
        ("if true; then function f { a; }; fi", "line 1: 'function' instead of a command"),
        ("function f-g { a; }", "line 1: a word instead of a name"),
        ("for x y; do a; done", "line 1: a word instead of 'in'"),
        ("[[ a ]]", "line 1: GRUB's shell has no '[['"),
        ("a\\", "line 1: the file ends in a backslash"),
        ("a\n\0\0\0", "line 2: the file contains zero bytes, so it is damaged"),
    ],
)
def test_what_grub_cannot_read_is_refused_with_its_line(text, sentence):
    with pytest.raises(KexecError) as error:
        start(text)
    assert str(error.value) == "%s %s" % (CONFIG, sentence)


def test_carriage_returns_are_dropped_as_grub_does():
    assert value("set x=a\r\nset y=b\r\n") == "a"


@pytest.mark.parametrize(
    "text",
    [
        "while true; do a; done",
        "while true; do [ -f /a ]; done",
        "set a=xxxxxxxx\nwhile true; do set a=$a$a; done",
        "set a='%s'\nwhile true; do b $a $a $a; done" % ("x " * 8000),
        "function f {\nf\n}\nf",
        "set x='eval $x'\neval $x",
        "source (boot)/boot/grub/grub.cfg",
        "configfile (boot)/boot/grub/grub.cfg",
        "if true; then " * 3000,
        "menuentry x { " * 3000,
        "test " + "( " * 3000,
        "\n" * 1000000,
        "#x\n" * 1000000,
        "\\\n" * 1000000,
        "$a" * 1000000,
        '"' + "\\a" * 1000000 + '"',
        "for i in %s; do for j in $i $i; do set k=$j; done; done" % ("a " * 30000),
    ],
)
def test_no_configuration_keeps_the_host_busy(text):
    began = time.process_time()
    with pytest.raises(KexecError):
        start(text)
    # A third of this is usual; a slow machine gets three times that.
    assert time.process_time() - began < 3


def test_a_menu_of_two_hundred_entries_is_no_loop():
    entry = (
        "menuentry 'e' --class a --class b --id i {\n set root='hd0'\n%s linux /k root=UUID=1 quiet\n initrd /i\n}\n"
    )
    shell = start(entry % (" if [ x$feature_platform_search_hint = xy ]; then\n  search -u 1\n fi\n") * 200)
    assert {shell.choose(item).loaded.path for item in shell.menu} == {"/k"}


SCRIPT_WORDS = (
    "if then else elif fi for in do done while until function f menuentry submenu { } ; \n \n ' \" \\ $ $v ${v} # [ ] "
    "! true false set v=1 linux initrd /k & | < > ( ) -n = -a -o return break shift eval source search load_env"
).split(" ")


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(SCRIPT_WORDS), max_size=40), st.sampled_from([" ", ""]))
def test_any_sequence_of_words_is_run_or_refused(words, separator):
    try:
        shell = start(separator.join(words))
        for item in shell.menu:
            shell.choose(item)
    except KexecError:
        pass


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_parsed_or_refused(text):
    try:
        grub_script.parse(text, "grub.cfg", lambda steps, where: None)
    except KexecError:
        pass


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(blacklist_characters="\0\r")))
def test_text_quoted_for_grub_reaches_the_command_unchanged(text):
    # Single quotes as grub_quote in grub-mkconfig_lib puts them.
    assert arguments("k '%s'" % text.replace("'", "'\\''")) == [text]
