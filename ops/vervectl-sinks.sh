# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# vervectl sinks: lists the sinks, rewinds and forgets them. ops/vervectl reads this
# file.

sinks_lua=$(cat "$parts/vervectl-sinks.lua")
status_lua=$(cat "$parts/vervectl-status.lua")

# Prints the names of the sinks that the configuration has, for this host.
configured_sinks() {
    place=$(setting sink.name) || exit
    [ -n "$place" ] || place=$(uname -n)
    sinks=$(setting report.sinks) || exit
    printf '%s\n' "$sinks" | tr , '\n' | while read -r sink; do
        case $sink in
        file) echo "file:$place:$(setting file.path)" ;;
        syslog) echo "syslog:$place" ;;
        kafka) echo "kafka:$(setting kafka.topic)" ;;
        kinesis) echo "kinesis:$(setting kinesis.stream)" ;;
        esac
    done
}

# Shows all sinks that were ever written to, and those that the configuration has.
show_sinks() {
    names=$(configured_sinks) || exit
    set --
    while read -r sink; do
        [ -z "$sink" ] || set -- "$@" "$sink"
    done <<END
$names
END
    seconds=$(window_seconds) || exit
    names=$(ask EVAL "$sinks_lua" 1 "$prefix:sinks" names "$@") || exit
    [ -n "$names" ] || return 0
    last=$(ask EVAL "$status_lua" 1 "$prefix:windows" windows 1) || exit
    last=${last%% *}
    printf '%s\n' "$names" | while read -r sink raw seen; do
        raw=$(printf '%bx' "$raw")
        reply=$(ask EVAL "$sinks_lua" 1 "$prefix:sink:${raw%x}" show \
            "${last:--}" "$seconds") || exit
        fields=${reply#* }
        cursor=${fields%% *}
        show sink "$sink state=${reply%% *} cursor=$(utc "$cursor")\
 ${fields#* } seen=$(utc "$seen")"
    done
}

# Prints the length of a window: what the programs agree on, else the
# configuration.
window_seconds() {
    length=''
    is_away 0 || length=$(ask HGET "$shard:meta" window_seconds) || exit
    [ -n "$length" ] || length=$(setting window.seconds) || exit
    echo "$length"
}

# Sets $first_s to the start of the window $1: RFC 3339 in UTC, or epoch seconds.
read_window() {
    case $1 in
    [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z)
        first_s=$(date -u -d "$1" +%s 2>/dev/null) || wrong "no such time: $1"
        ;;
    *)
        read_decimal "$1" 10 ||
            wrong "not a window: $1; it is like 2026-01-02T03:04:00Z"
        first_s=$decimal
        ;;
    esac
}

sinks_rewind() {
    [ $# -eq 2 ] || wrong "sinks rewind takes a sink and a window"
    read_window "$2"
    connect
    seconds=$(window_seconds) || exit
    reply=$(ask EVAL "$sinks_lua" 1 "$prefix:sink:$1" rewind "$first_s" \
        $((first_s - seconds))) || exit
    case $reply in
    done) say "$1 writes the windows from $2 on again" ;;
    none) die "$EXIT_NONE" "$1 has written nothing; see $NAME sinks" ;;
    *) die "$EXIT_NONE" "$1 has not come so far: its last window is" \
        "$(utc "${reply#* }")" ;;
    esac
}

sinks_forget() {
    yes=no wanted=
    for word; do
        case $word in
        -y) yes=yes ;;
        -*) wrong "unknown option: $word" ;;
        *)
            [ -z "$wanted" ] || wrong "one sink at a time"
            wanted=$word
            ;;
        esac
    done
    [ -n "$wanted" ] || wrong "sinks forget takes a sink"
    connect
    if [ "$yes" = no ]; then
        [ -t 0 ] || wrong "sinks forget needs -y if stdin is no terminal"
        confirm "forget how far $wanted has come?"
    fi
    reply=$(ask EVAL "$sinks_lua" 1 "$prefix:sink:$wanted" forget) || exit
    case $reply in
    live*) die "$EXIT_NONE" "$wanted is live: ${reply#* } writes to it" ;;
    esac
    # If this is the end, the sink is still on the list, and can be forgotten.
    unlisted=$(ask EVAL "$sinks_lua" 1 "$prefix:sinks" unlist "$wanted") || exit
    case $reply$unlisted in
    *done*) say "$wanted is forgotten" ;;
    *) die "$EXIT_NONE" "there is no sink $wanted; see $NAME sinks" ;;
    esac
}

run_sinks() {
    action=${1-list}
    [ $# -eq 0 ] || shift
    case $action in
    list)
        [ $# -eq 0 ] || wrong "sinks list takes no arguments"
        connect
        show_sinks
        ;;
    rewind) sinks_rewind "$@" ;;
    forget) sinks_forget "$@" ;;
    *) wrong "sinks takes list, rewind or forget" ;;
    esac
}
