# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# vervectl tail: follows the callback log of this host. ops/vervectl reads this file.

run_tail() {
    lines=20
    while getopts n: option; do
        case $option in
        n) lines=$OPTARG ;;
        *) wrong "tail takes -n LINES" ;;
        esac
    done
    shift $((OPTIND - 1))
    case $lines in
    '' | *[!0-9]*) wrong "not a number of lines: $lines" ;;
    esac
    [ $# -eq 0 ] || wrong "tail takes no arguments but -n"
    find_program
    log=$(setting callbacks.log) || exit
    if is_stream "$log"; then
        die "$EXIT_USAGE" "callbacks.log is $log of the reporter: read its output"
    fi
    if [ -e "$log" ] && [ ! -r "$log" ]; then
        die "$EXIT_SYSTEM" "$log is not ours to read"
    fi
    exec tail -n "$lines" -F -- "$log"
}
