# shellcheck shell=sh disable=SC2034,SC2153,SC2154 # shared with ops/vervectl
# The part of vervectl doctor about Redis: its version, settings, memory and answers.
# ops/vervectl-doctor.sh reads this file, and has the functions that are used here.

SKEW_MOST_MS=600000   # a shard whose clock is so far behind shard 0's refuses ids
ROUNDS=100            # round trips that are measured
ID_BYTES_SETNX=172    # see docs/operations.md, "Size the memory of Redis"
ID_BYTES_SET=15
HLL_BYTES=12288
JOB_BYTES=330         # with a URL of 100 bytes
OTHER_BYTES=20971520  # counts, records, Redis itself

judge_version() {
    version=$(info redis_version)
    valkey=$(info valkey_version)
    if [ -z "$version$valkey" ]; then
        report unseen version "the user may not run INFO" "grant +info"
    elif [ -n "$valkey" ]; then
        case $valkey in
        8.* | 9.*) report ok version "Valkey $valkey" ;;
        *) report note version "Valkey $valkey was never tried with verve" ;;
        esac
    elif [ "${version%%.*}" -lt 7 ]; then
        report critical version "it is Redis $version (KeyDB says 6, too), and verve\
 needs Redis 7.0 or later, or Valkey" "install Redis 7 or Valkey 8"
    elif [ -n "$(info dragonfly_version)" ]; then
        report note version "Dragonfly was never tried with verve"
    else
        case $version in
        7.* | 8.0.*) report ok version "Redis $version" ;;
        *) report note version "Redis $version was never tried with verve" ;;
        esac
    fi
}

# Of a replica in a cluster.
judge_link() {
    if [ "$(info master_link_status)" = up ]; then
        report ok link "a replica has the link to its master"
    else
        report warning link "this replica has lost its master\
 $(info master_host):$(info master_port), and can't take over" "look at its log;\
 masterauth and masteruser, if Redis has a password"
    fi
}

judge_role() {
    if [ -n "$server" ] && [ "$(info role)" = slave ]; then
        judge_link
        return
    fi
    case $(info role) in
    slave) report critical role "it is a replica of $(info master_host), and\
 refuses writes" "set redis.url to the primary" ;;
    esac
    wanted=$(setting redis.wait_replicas) || exit
    have=$(printf '%s\n' "$info" | grep -c '^slave[0-9]*:.*state=online') || :
    if [ "$have" -lt "$wanted" ]; then
        report critical replicas "redis.wait_replicas is $wanted, but $have\
 replicas are online: all requests get 503" "start replicas, or set\
 [redis] wait_replicas = $have"
    elif [ "$have" -gt 0 ] && [ "$wanted" -eq 0 ]; then
        report note replicas "$have replicas are online, but redis.wait_replicas is\
 0: a failover may lose what got ok" "[redis] wait_replicas = 1"
    else
        report ok replicas "$have online, redis.wait_replicas is $wanted"
    fi
}

judge_eviction() {
    policy=$(info maxmemory_policy)
    [ -n "$policy" ] || policy=$(parameter maxmemory-policy)
    case $policy in
    noeviction) report ok eviction "maxmemory-policy is noeviction" ;;
    '') report unseen eviction "the policy can't be read" "grant +info" ;;
    *) report critical eviction "maxmemory-policy is $policy: Redis drops ids, which\
 then count twice; verve refuses this Redis" \
        "$(setting_of_redis maxmemory-policy noeviction)" ;;
    esac
}

# What snapshots do, which count for nothing beside an append-only file.
judge_snapshots() {
    if [ "$(info rdb_last_bgsave_status)" = err ]; then
        report "$1" snapshot "the last snapshot failed: Redis refuses writes while\
 stop-writes-on-bgsave-error is yes" "mend the disk (df, and Redis's log), or:\
 $(setting_of_redis save '')"
    fi
}

judge_persistence() {
    fsync=$(parameter appendfsync)
    if [ -z "$(info aof_enabled)" ]; then
        report unseen persistence "the user may not run INFO" "grant +info"
        return
    elif [ "$(info aof_enabled)" != 1 ]; then
        report warning persistence "there is no append-only file: if Redis stops,\
 what was counted and queued since its last snapshot is lost" \
            "$(setting_of_redis appendonly yes)"
        judge_snapshots critical
        return
    fi
    judge_snapshots critical
    if [ "$(info aof_last_write_status)" = err ]; then
        report critical persistence "the last write to the append-only file failed" \
            "mend the disk: df, and Redis's log"
    elif [ "$(info aof_last_bgrewrite_status)" = err ]; then
        report warning persistence "the last rewrite of the append-only file failed,\
 and the file grows" "look at the memory and the disk, then $(cli BGREWRITEAOF)"
    elif [ "$fsync" = no ]; then
        report warning persistence "appendfsync is no: a crash of the machine may\
 lose half a minute" "$(setting_of_redis appendfsync everysec)"
    else
        report ok persistence "append-only file${fsync:+, appendfsync $fsync}"
    fi
}

# Sets $need to what ids and callbacks need at most; in a cluster, on one master.
sum_memory() {
    most=$(facts most)
    strategy=$(setting dedup.strategy) || exit
    case $strategy in
    setnx) ids=$((most * 2 * ID_BYTES_SETNX)) ;;
    set) ids=$((most * 2 * ID_BYTES_SET)) ;;
    *) ids=$((3 * HLL_BYTES * masters)) ;;
    esac
    ids=$((ids / masters))
    max_queue=$(setting callbacks.max_queue) || exit
    max_mb=$(setting callbacks.max_queue_mb) || exit
    if [ "$max_mb" -gt 0 ]; then
        limit=$((max_mb * 1048576 / masters))
    elif [ "$max_memory" -gt 0 ]; then
        limit=$((max_memory / 4))
    else
        limit=1073741824
    fi
    queue=$((max_queue * JOB_BYTES / masters))
    [ "$queue" -le "$limit" ] || queue=$limit
    dead=$(($(setting callbacks.max_dead) * JOB_BYTES / masters)) || exit
    need=$((ids + queue + dead + OTHER_BYTES))
}

judge_memory() {
    max_memory=$(number maxmemory)
    used=$(number used_memory)
    machine=$(number total_system_memory)
    if [ "$used" -eq 0 ]; then
        report unseen memory "the user may not run INFO" "grant +info"
        return
    fi
    sum_memory
    parts_of_need="ids $(megabytes "$ids") ($strategy, $most in the largest\
 window), callbacks up to $(megabytes "$queue"), dead ones up to\
 $(megabytes "$dead")"
    if [ "$max_memory" -eq 0 ]; then
        report warning memory "maxmemory is not set: a flood ends with the kernel's\
 OOM killer. Needed: $parts_of_need" \
            "$(setting_of_redis maxmemory "$((need * 3 / 2 / 1048576 + 1))mb")"
    elif [ $((used * 100 / max_memory)) -ge 90 ]; then
        report critical memory "$((used * 100 / max_memory)) % of maxmemory\
 ($(megabytes "$max_memory")) is used. Needed: $parts_of_need" \
            "$(setting_of_redis maxmemory "$((need * 3 / 2 / 1048576 + 1))mb")"
    elif [ "$need" -gt "$max_memory" ]; then
        report warning memory "maxmemory is $(megabytes "$max_memory"), and\
 $(megabytes "$need") may be needed: $parts_of_need" "$(setting_of_redis \
            maxmemory "$((need * 3 / 2 / 1048576 + 1))mb"), or set callbacks.max_queue_mb"
    else
        report ok memory "$((used * 100 / max_memory)) % of maxmemory is used;\
 $(megabytes "$need") may be needed"
    fi
    if [ "$machine" -gt 0 ] && [ $((max_memory * 2)) -gt "$machine" ]; then
        report note machine "maxmemory is more than half of the machine's\
 $(megabytes "$machine"): Redis may take twice maxmemory while it rewrites its\
 file" "a smaller maxmemory, or a larger machine"
    fi
}

# The file with the users of Redis; nothing if it is not installed.
acl_file() {
    for name in "$here/../conf/redis.acl" "$parts/../doc/verve/redis.acl" \
        /etc/verve/redis.acl; do
        if [ -r "$name" ]; then
            echo "$name"
            return
        fi
    done
}

# The commands that the users of that file have, whose names match $1.
commands_of() {
    sed -n "s/^user \($1\) .*-@all//p" "$2" | tr ' ' '\n' | sed -n 's/^+//p' |
        tr '[:lower:]' '[:upper:]' | grep -vxE 'CLIENT\|SETNAME|SELECT' | sort -u
}

judge_rights() {
    file_of_users=$(acl_file)
    script=$parts/rights.lua
    [ -r "$script" ] || script=$here/../common/store/lua/rights.lua
    if [ -z "$file_of_users" ] || [ ! -r "$script" ]; then
        report unseen rights "redis.acl or rights.lua is not installed"
        return
    fi
    who=${user:-default}
    case $who in
    verve-responder | verve-reporter | vervectl) of=$who ;;
    *) of='verve-[a-z]*' ;;
    esac
    # shellcheck disable=SC2046 # words
    look EVAL "$(cat "$script")" 0 2 "$shard:meta" "$prefix:windows" \
        $(commands_of "$of" "$file_of_users")
    case $reply in
    OK) report ok rights "the user $who may run all commands" ;;
    *NORIGHTS*)
        lacks=$(printf '%s' "$reply" | sed 's/.*lacks //; s/ on keys like.*//
            s/ (by its ACL.*//')
        report critical rights "the user $who lacks $lacks" \
            "$(cli ACL SETUSER "$who" "$lacks"), and in the aclfile; a command\
 that was renamed can't be used"
        ;;
    *) report unseen rights "the rights of $who can't be read: $reply" ;;
    esac
}

# The time of this shard is in $reply; it was read between $before_ms and $after_ms.
judge_clock() {
    skew_ms=$(($(printf '%s\n' "$reply" | sed -n 's/^time //p') - (before_ms + after_ms) / 2))
    unsure_ms=$(((after_ms - before_ms) / 2))
    size_ms=${skew_ms#-}
    [ "$number" != 0 ] || first_skew_ms=$skew_ms
    if [ $((first_skew_ms - skew_ms)) -gt "$SKEW_MOST_MS" ]; then
        report critical clock "the clock of $whose is $((first_skew_ms - skew_ms)) ms\
 behind that of shard 0: it refuses all ids" \
            "timedatectl set-ntp true, on the host whose clock is wrong (timedatectl)"
    elif [ $((size_ms - unsure_ms)) -gt 1000 ]; then
        report warning clock "the clock of $whose differs by $skew_ms ms\
 from that of this host: windows, signatures and logs do not fit" \
            "timedatectl set-ntp true, on the host whose clock is wrong (timedatectl)"
    elif [ "$number" = 0 ]; then
        report ok clock "the clocks of Redis and of this host differ by $skew_ms ms,\
 to within $unsure_ms ms"
    fi
}

# One call of the client with many commands, less one with a single command.
judge_timeout() {
    timeout_ms=$(setting redis.timeout_ms) || exit
    start_ms=$(date +%s%3N)
    look TIME
    middle_ms=$(date +%s%3N)
    look -r $((ROUNDS + 1)) TIME
    end_ms=$(date +%s%3N)
    if [ "$code" -ne 0 ]; then
        report unseen latency "TIME was refused: $reply"
        return
    fi
    trips_us=$(((end_ms - 2 * middle_ms + start_ms) * 1000 / ROUNDS))
    if [ $((trips_us * 20)) -gt $((timeout_ms * 1000)) ]; then
        report warning latency "a round trip to Redis takes $trips_us us, and\
 redis.timeout_ms is $timeout_ms: pauses of that network become 503" \
            "[redis] timeout_ms = $((trips_us * 50 / 1000 + 1))"
    elif [ "$trips_us" -le 0 ]; then
        report ok latency "a round trip to Redis takes less than can be measured\
 here; redis.timeout_ms is $timeout_ms"
    else
        report ok latency "a round trip to Redis takes $trips_us us;\
 redis.timeout_ms is $timeout_ms"
    fi
}

judge_clients() {
    clients=$(number connected_clients)
    most_clients=$(number maxclients)
    if [ "$most_clients" -gt 0 ] && [ $((clients * 100 / most_clients)) -ge 80 ]; then
        report warning clients "$clients of $most_clients clients are connected" \
            "$(setting_of_redis maxclients $((most_clients * 4)))"
    fi
}
