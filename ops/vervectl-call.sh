# shellcheck shell=sh disable=SC2154 # shared with ops/vervectl
# vervectl call: one test callback. verve-reporter makes it, as it makes those of the
# queue. ops/vervectl reads this file.

run_call() {
    [ $# -eq 1 ] || wrong "call takes a URL"
    case $1 in
    -*) wrong "unknown option: $1" ;;
    esac
    find_program
    exec "$program" ${file:+-c "$file"} --call "$1"
}
