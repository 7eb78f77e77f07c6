# SPDX-License-Identifier: Apache-2.0
# Runs what a build directory has registered with ctest, one case per test.  Sourced by bash.

# ctest_case BUILD NAME
ctest_case() {
    timeout 300 ctest --test-dir "$1" --output-on-failure --timeout 240 -R "^$2\$" --no-tests=error
    # A test that cannot be made here says why, and ends with its SKIP_RETURN_CODE.
    local reason counted
    reason=$(sed -n 's/^skipped: //p' "$1/Testing/Temporary/LastTest.log")
    [ -z "$reason" ] || skip "$reason"
    # cmocka and the project's own counters both say how many checks they made.
    counted=$(sed -n 's/^.*\[  PASSED  \] \([0-9]*\) test.*$/\1/p' "$1/Testing/Temporary/LastTest.log" |
        awk '{ n += $1 } END { print n + 0 }')
    [ "$counted" = 0 ] || note "$counted checks"
}

# run_ctest BUILD SUFFIX [PATTERN]: all but those whose whole name the pattern matches.
run_ctest() {
    local name
    for name in $(ctest --test-dir "$1" -N | sed -n 's/^ *Test *#[0-9]*: //p'); do
        [[ -n "${3:-}" && $name =~ ^(${3:-})$ ]] || check "$name$2" ctest_case "$1" "$name"
    done
}
