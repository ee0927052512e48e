# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# vervectl tail: follows the callback log of this host. ops/vervectl reads this file.

run_tail() {
    lines=20 follow=yes
    while getopts n:-: option; do
        [ "$option" != - ] || option=--$OPTARG
        case $option in
        n) lines=$OPTARG ;;
        --no-follow) follow=no ;;
        *) wrong "tail takes -n LINES and --no-follow" ;;
        esac
    done
    shift $((OPTIND - 1))
    case $lines in
    '' | *[!0-9]*) wrong "not a number of lines: $lines" ;;
    esac
    [ $# -eq 0 ] || wrong "tail takes no arguments but -n and --no-follow"
    find_program
    log=$(setting callbacks.log) || exit
    if is_stream "$log"; then
        die "$EXIT_USAGE" "callbacks.log is $log of the reporter: read its output"
    fi
    if [ -e "$log" ] && [ ! -r "$log" ]; then
        die "$EXIT_SYSTEM" "$log is not ours to read"
    fi
    if [ "$follow" = yes ]; then
        exec tail -n "$lines" -F -- "$log"
    fi
    [ -e "$log" ] || die "$EXIT_NONE" "there is no $log"
    exec tail -n "$lines" -- "$log"
}
