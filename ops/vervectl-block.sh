# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# vervectl block and unblock: which hosts are not called. ops/vervectl reads this
# file.

load queue

HEEDED_S=2 # reporters know of a blocked host within this
BLOCK_LUA="return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])"

# Reads the arguments of $command; sets $endpoint_host and $jobs.
read_block() {
    jobs=keep yes=no quiet=no endpoint_host=
    while [ $# -gt 0 ]; do
        case $1 in
        --drop) jobs=drop ;;
        -y) yes=yes ;;
        -*) wrong "unknown option: $1" ;;
        *)
            [ -z "$endpoint_host" ] || wrong "one host at a time"
            take_filter --host "$1"
            ;;
        esac
        shift
    done
    case $endpoint_host in
    '' | *[!!-~]* | *,*) wrong "$command needs a host, without blanks and commas" ;;
    esac
    endpoint_host=${endpoint_host%.}
    case $command$jobs$yes in
    blockkeepno | blockdrop* | unblockkeepno) ;;
    *) wrong "$command takes no such option" ;;
    esac
}

# verve-reporter knows which patterns there are.
check_pattern() {
    VERVE_CALLBACKS_BLOCK=$endpoint_host \
        "$program" ${file:+-c "$file"} -p callbacks.block >/dev/null ||
        exit "$EXIT_USAGE"
}

# Also if Redis is out of memory: to drop callbacks may be the way out.
block_in_shard() {
    ask EVAL "#!lua flags=allow-oom${NEWLINE}$BLOCK_LUA" 1 "$shard:blocked" \
        "$endpoint_host" "$jobs" >/dev/null || exit
}

unblock_in_shard() {
    count=$(ask HDEL "$shard:blocked" "$endpoint_host") || exit
    removed=$((removed + count))
}

# Each worker reads the blocked hosts of its own shard.
tell_unreached() {
    [ -z "$away" ] || die "$EXIT_SYSTEM" "the workers of shard $away do not know\
 it yet: run $NAME $command $endpoint_host again once that shard is back"
}

run_block() {
    read_block "$@"
    find_program
    check_pattern
    connect
    if [ "$jobs" = drop ] && [ "$yes" = no ]; then
        [ -t 0 ] || wrong "block --drop needs -y if stdin is no terminal"
        confirm "drop the callbacks to $endpoint_host for ever?"
    fi
    each_shard block_in_shard
    say "$endpoint_host is blocked"
    if [ "$jobs" = drop ]; then
        job='' outcome='' matched=0
        each_shard walk drop due delayed +inf
        say "$matched delayed ones dropped; the others follow"
    fi
    tell_unreached
}

# A reporter that does not know it yet would delay the jobs again.
run_unblock() {
    read_block "$@"
    connect
    removed=0
    each_shard unblock_in_shard
    if [ "$removed" -gt 0 ]; then
        sleep "$HEEDED_S"
        job='' outcome='' matched=0
        each_shard walk retry due delayed +inf
        say "$endpoint_host is called again; $matched delayed ones are due"
    fi
    tell_unreached
    [ "$removed" -gt 0 ] || die "$EXIT_NONE" "$endpoint_host is not blocked"
}
