# SPDX-License-Identifier: Apache-2.0
# What the parts about the compile pass share: where it is, and what has to be built first.  Sourced by bash, after harness.sh.
HOME_OF_CC=$OPTMIG_BUILD/optmig-cc

need_pass() {
    [ -e "$HOME_OF_CC/OptMigPass.so" ] || skip "no llvm-14-dev or clang-14 here"
}

# need_built LIBRARY TARGET SECONDS: Debian's source packages have to be fetched once for a build directory.  Without the
# network that is no defect; that what was fetched does not build is one.
need_built() {
    need_pass
    [ ! -e "$WORK/no-$2" ] || skip "$(cat "$WORK/no-$2")"
    [ ! -e "$HOME_OF_CC/$1" ] || return 0
    if ! timeout "$3" cmake --build "$OPTMIG_BUILD" --target "$2" > "$WORK/$2.out" 2>&1; then
        grep -q "cannot be fetched" "$WORK/$2.out" || { cat "$WORK/$2.out"; complain "$2 does not build"; }
        echo "Debian's source packages for $2 cannot be fetched here" > "$WORK/no-$2"
        skip "$(cat "$WORK/no-$2")"
    fi
}

need_musl() {
    need_built musl/lib/libc.a optmig-musl 200
}

refuses() { # WORDS COMMAND...
    local words=$1 status=0
    shift
    "$@" > "$CASE/out" 2>&1 || status=$?
    [ $status != 0 ] && grep -q -- "$words" "$CASE/out" || { cat "$CASE/out"; complain "status $status, not refused with: $words"; }
}
