# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# vervectl queue: lists, shows, retries and drops callbacks. ops/vervectl reads this
# file. The Lua script vervectl-queue.lua does the work, some jobs at a time.

BATCH=500     # jobs for one script: 1 to 3 ms of Redis
PROGRESS=5000 # jobs between two lines of progress

queue_lua=$(cat "$parts/vervectl-queue.lua")
status_lua=$(cat "$parts/vervectl-status.lua")

# Walks through all entries of the place $2 (waiting, due or dead) and does $1
# with those that match. Of `due` only the state $3 and scores up to $4 match.
# $5 is the list of the place `waiting`, if it is not `callbacks`.
# Prints the lines of the replies; adds the number of matches to $matched.
walk() {
    cursor='' looked=0 next_progress=$PROGRESS
    while [ "$cursor" != - ]; do
        reply=$(ask EVAL "$queue_lua" 4 "${5:-$shard:callbacks}" "$shard:due" \
            "$shard:dead" "$shard:queue" "$1" "$2" "$cursor" "$BATCH" "$3" \
            "$4" "$job" "$endpoint_host" "$outcome") || exit
        take_reply
        cursor=${reply%% *}
        progress "$1 ($2)" "$left"
    done
}

# Prints the lines of $reply but the first, which has the numbers.
take_reply() {
    first=${reply%%"$NEWLINE"*}
    if [ "$first" != "$reply" ]; then
        printf '%s\n' "${reply#*"$NEWLINE"}"
    fi
    first=${first#* }
    looked=$((looked + ${first%% *}))
    first=${first#* }
    matched=$((matched + ${first%% *}))
    left=${first#* }
}

# Does $1 with the jobs that wait in the short lists of the hashes $2 and so on.
walk_short() {
    todo=$1
    shift
    for hash in "$@"; do
        shift
        set -- "$@" "$shard:callbacks:$hash"
    done
    looked=0
    reply=$(ask EVAL "$queue_lua" $(($# + 4)) "$shard:callbacks" "$shard:due" \
        "$shard:dead" "$shard:queue" "$@" "$todo" lists '' "$BATCH" '' +inf \
        "$job" "$endpoint_host" "$outcome") || exit
    take_reply
}

# Reads "<jobs> <hash> ..." a line; prints the hashes of one script a line: a
# long list alone, or short lists with about $BATCH jobs together.
pack_lists() {
    awk -v most="$BATCH" '
        { if (jobs + $1 > most || count == 100) flush() }
        { line = line " " $2; jobs += $1; count++ }
        END { flush() }
        function flush() {
            if (count > 0) print (jobs > most ? "long" : "short") line
            line = ""; jobs = 0; count = 0
        }'
}

# Does $1 with the jobs that wait: in `callbacks`, and in the list of each
# destination.
walk_waiting() {
    walk "$1" waiting '' +inf
    lists=$(ask EVAL "$status_lua" 2 "$shard:destinations" \
        "$shard:strangers" lists "$shard:callbacks:" '') || exit
    [ -n "$lists" ] || return 0
    lists=$(printf '%s\n' "$lists" | pack_lists)
    while read -r length hashes; do
        # shellcheck disable=SC2086 # hashes are words
        case $length in
        long) walk "$1" waiting '' +inf "$shard:callbacks:$hashes" ;;
        short) walk_short "$1" $hashes ;;
        esac
    done <<END
$lists
END
}

# Shows from time to time how far a walk has come; on a terminal, in one line.
progress() {
    if [ "$looked" -lt "$next_progress" ] || [ "$quiet" = yes ]; then
        return
    fi
    next_progress=$((looked + PROGRESS))
    text="$1: $looked of $((looked + $2)) looked at, $matched matched"
    if [ -t 2 ]; then
        printf '\r%s: %s\033[K' "$NAME" "$text" >&2
        over=yes
    else
        say "$text"
    fi
}

# Does $1 in all places of all shards that the options select.
walk_places() {
    matched=0
    each_shard walk_shard "$1"
}

# Does $1 in all places of one shard that the options select.
walk_shard() {
    if [ "$waiting" = yes ]; then
        walk_waiting "$1"
    fi
    if [ "$delayed" = yes ]; then
        walk "$1" due delayed +inf
    fi
    if [ "$dead" = yes ]; then
        walk "$1" dead '' +inf
    fi
}

end_with_matched() {
    [ "$matched" -gt 0 ] || end_with_none
}

# Reads the arguments after `queue $1`, which depend on $1.
read_selection() {
    action=$1
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --host=* | --job=* | --outcome=*)
            option=${1%%=*}
            value=${1#*=}
            shift
            set -- "$option" "$value" "$@"
            ;;
        esac
        case $1 in
        --host | --job | --outcome)
            [ -n "${2-}" ] || wrong "$1 needs a value"
            take_filter "$1" "$2"
            shift
            ;;
        --all) all=yes ;;
        --dead) dead=yes ;;
        --delayed) delayed=yes ;;
        --waiting) waiting=yes ;;
        -y) yes=yes ;;
        -*) wrong "unknown option: $1" ;;
        *) take_job "$1" ;;
        esac
        shift
    done
    check_selection
    if [ "$waiting$delayed$dead" = nonono ]; then
        delayed=yes
        dead=yes
    fi
}

take_filter() {
    case $1 in
    --host) endpoint_host=$(printf '%s' "$2" | tr '[:upper:]' '[:lower:]') ;;
    --outcome) outcome=$2 ;;
    --job) take_job "$2" ;;
    esac
}

take_job() {
    [ -z "$job" ] || wrong "one job at a time"
    case $1 in
    '' | *[!A-Za-z0-9_-]*) wrong "not the id of a job: $1" ;;
    esac
    job=$1
}

check_selection() {
    case $action in
    list)
        [ "$yes" = no ] || wrong "list takes no -y"
        ;;
    show)
        [ -n "$job" ] || wrong "show needs a job"
        ;;
    retry | drop)
        [ "$waiting" = no ] || wrong "$action takes no --waiting"
        [ -n "$job$endpoint_host$outcome" ] || [ "$all" = yes ] ||
            wrong "$action needs a job, --host, --outcome or --all"
        ;;
    esac
}

queue_list() {
    walk_places list
    end_with_matched
}

show_in_shard() {
    walk_waiting show
    walk show due '' +inf
    walk show dead '' +inf
}

queue_show() {
    matched=0
    each_shard show_in_shard
    log=$(setting callbacks.log) || exit
    if ! is_stream "$log" && [ -r "$log" ] && grep -F -- " job=$job " "$log"; then
        matched=$((matched + 1))
    fi
    end_with_matched
}

queue_retry() {
    quiet=no
    walk_places retry
    say "$matched to be tried again"
    end_with_matched
}

queue_drop() {
    quiet=no
    [ "$yes" = yes ] || confirm_drop
    walk_places drop
    say "$matched dropped"
    end_with_matched
}

confirm_drop() {
    [ -t 0 ] || wrong "drop needs -y if stdin is no terminal"
    walk_places count
    end_with_matched
    confirm "drop $matched for ever?"
}

run_queue() {
    case ${1-} in
    list | show | retry | drop) ;;
    *) wrong "queue needs list, show, retry or drop" ;;
    esac
    job='' endpoint_host='' outcome='' quiet=yes
    all=no waiting=no delayed=no dead=no yes=no
    read_selection "$@"
    connect
    "queue_$action"
}
