# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# vervectl status: windows, queue, sinks, reporters. ops/vervectl reads this file.

load queue
load sinks

BACKLOGS=20 # destinations that are shown, with the most jobs

# Takes the first line of the part "now": see vervectl-status.lua.
show_now() {
    now_ms=$3
    count=$(ask GET "$shard:count:$1") || exit
    show window "$(utc "$1") seconds=$4 left_ms=$2 count=${count:-0}"
    waiting=$5 due=$6 dead=$7
}

show_windows() {
    reply=$(ask EVAL "$status_lua" 1 "$prefix:windows" windows 5) || exit
    [ -n "$reply" ] || return 0
    printf '%s\n' "$reply" | while read -r start count note; do
        show reported "$(utc "$start") count=$count${note:+ $note}"
    done
}

# Jobs in `due` are leased or delayed. A leased job is due again within a lease.
show_queue() {
    lease_s=$(setting callbacks.lease_s) || exit
    job='' endpoint_host='' outcome='' quiet=yes matched=0
    walk count due leased $((now_ms + lease_s * 1000 + 1000))
    [ "$matched" -le "$due" ] || due=$matched # it has changed since
    show queue "waiting=$waiting leased=$matched delayed=$((due - matched))\
 dead=$dead"
    reply=$(ask EVAL "$status_lua" 2 "$shard:destinations" \
        "$shard:strangers" lists "$shard:callbacks:" "$BACKLOGS") || exit
    [ -n "$reply" ] || return 0
    printf '%s\n' "$reply" | while read -r jobs hash origin; do
        show backlog "$origin waiting=$jobs list=$shard:callbacks:$hash"
    done
}

show_blocked() {
    reply=$(ask EVAL "$status_lua" 1 "$shard:blocked" blocked) || exit
    [ -n "$reply" ] || return 0
    printf '%s\n' "$reply" | while read -r text; do
        show blocked "$text"
    done
}

show_reporters() {
    if [ -z "$1" ]; then
        show reporter "none delivers callbacks"
        return
    fi
    printf '%s\n' "$1" | while read -r reporter; do
        reply=$(ask EVAL "$status_lua" 1 "$shard:reporter:$reporter" \
            reporter) || exit
        [ -n "$reply" ] || continue # it ended meanwhile
        printf '%s\n' "$reply" | while read -r what text; do
            show "$what" "$text"
        done
    done
}

show_status() {
    seconds=$(setting window.seconds) || exit
    reply=$(ask EVAL "$status_lua" 8 "$shard:sealed" "$shard:meta" \
        "$shard:callbacks" "$shard:due" "$shard:dead" "$shard:reporters" \
        "$shard:destinations" "$shard:strangers" now "$seconds" \
        "$shard:callbacks:") || exit
    first=${reply%%"$NEWLINE"*}
    reporters=${reply#"$first"}
    reporters=${reporters#"$NEWLINE"}
    # shellcheck disable=SC2086 # seven numbers
    show_now $first
    show_windows
    show_queue
    show_blocked
    show_sinks
    show_reporters "$reporters"
}

# All is read before the JSON begins, so that half of it is never printed.
run_status() {
    case $#${1-} in
    0 | 1--json) ;;
    *) wrong "status takes no arguments but --json" ;;
    esac
    connect
    if [ $# -eq 0 ]; then
        show_status
    else
        lines=$(show_status) || exit
        printf '%s\n' "$lines" | awk -f "$parts/vervectl-json.awk"
    fi
}
