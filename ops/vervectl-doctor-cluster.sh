# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# The part of vervectl doctor about a Redis Cluster: its nodes, and how the shards
# lie on them. ops/vervectl-doctor.sh reads this file, and has the functions that
# are used here.

# Judges each node as a server of its own; sets $moves to what is being moved.
judge_nodes() {
    seed_host=$host seed_port=$port nodes_known=$cluster moves=''
    cluster='' # each node answers for itself
    while read -r host port role id of state _; do
        [ -n "$id" ] || continue
        where_redis=$host:$port
        server=$where_redis
        if [ "$state" = up ]; then
            judge_server
            judge_node
        else
            judge_failed
        fi
    done <<END
$nodes_known
END
    host=$seed_host port=$seed_port cluster=$nodes_known
    server='' where_redis=$host:$port
}

# What the cluster needs of a node; $moves gets the slots that it sends and gets.
judge_node() {
    case $(parameter cluster-require-full-coverage) in
    no) report ok full-coverage "cluster-require-full-coverage is no" ;;
    yes) report warning full-coverage "cluster-require-full-coverage is yes: if one\
 master and its replicas are away, the ids of all shards get 503" \
        "$(setting_of_redis cluster-require-full-coverage no)" ;;
    *) report unseen full-coverage "cluster-require-full-coverage can't be read" \
        "grant +config|get, or look into redis.conf" ;;
    esac
    [ "$(parameter cluster-allow-reads-when-down)" != yes ] ||
        report warning reads-when-down "cluster-allow-reads-when-down is yes: a node\
 that is cut off tells old counts" \
            "$(setting_of_redis cluster-allow-reads-when-down no)"
    if told=$(call_redis CLUSTER NODES 2>/dev/null); then
        moves="$moves$(printf '%s\n' "$told" | awk -v asked="$host" -v tls="$tls" \
            -f "$parts/vervectl-cluster.awk" | awk '$8 != "-" { print $8 }' |
            tr , '\n')$NEWLINE"
    fi
}

judge_failed() {
    case $(printf '%s\n' "$nodes_known" | awk -v id="$id" '
        $4 == id && $3 == "master" && $7 != "-" { print "slots" }') in
    slots) report critical node "this master is down: ids of its shards get 503" \
        "start it, or on one of its replicas: redis-cli CLUSTER FAILOVER TAKEOVER" ;;
    *) report warning node "this $role is down" "start it, or remove it:\
 redis-cli --cluster del-node $seed_host:$seed_port $id" ;;
    esac
}

# Prints "<node> <replicas>" of each master.
count_replicas() {
    printf '%s\n' "$cluster" | awk '
        $3 == "replica" && $6 == "up" { replicas[$5]++ }
        $3 == "master" && $7 != "-" { at[$4] = $1 ":" $2 }
        END { for (id in at) print at[id], replicas[id] + 0 }' | sort
}

# Each master needs a replica that may take over.
judge_replicas() {
    alone=$(count_replicas | awk '$2 == 0 { print $1 }' | paste -sd ' ')
    if [ -n "$alone" ]; then
        report warning cluster-replicas "masters without a replica: $alone. If one\
 of them is gone, so are the ids and callbacks of its shards" \
            "redis-cli --cluster add-node NEW_HOST:PORT $where_redis\
 --cluster-slave --cluster-master-id ID"
    else
        report ok cluster-replicas "each of the $masters masters has a replica"
    fi
}

# Prints "<node> <shards>" of each master.
spread() {
    {
        printf '%s\n' "$cluster" |
            awk '$3 == "master" && $7 != "-" { print $1 ":" $2 }'
        printf '%s\n' "$shard_nodes" | tr ' ' '\n'
    } | awk 'NF { n[$1]++ } END { for (node in n) print node, n[node] - 1 }' | sort
}

# The tags lie at equal distances: if masters have equally many slots, they have
# equally many shards.
judge_spread() {
    case " $shard_nodes " in
    *' - '*)
        report critical slots "no node has the slots of some shards: their ids get\
 503" "redis-cli --cluster fix $where_redis"
        return
        ;;
    esac
    uneven=$(spread | awk '
        NR == 1 || $2 < least { least = $2 }
        $2 > most { most = $2 }
        { text = text " " $1 "=" $2 }
        END { if (most - least > 0) print most - least text }')
    if [ "$shard_count" -lt "$masters" ]; then
        report warning shards "redis.shards is $shard_count, and there are $masters\
 masters: some have nothing to do" "redis.shards = $masters: see docs/cluster.md"
    elif [ "$shard_count" -gt $((4 * masters)) ]; then
        report note shards "redis.shards is $shard_count for $masters masters: the\
 batches are small, and ids are dear" \
            "redis.shards = $masters to $((4 * masters)): see docs/cluster.md"
    elif [ -z "$uneven" ]; then
        report ok shards "each of the $masters masters has\
 $((shard_count / masters)) of $shard_count shards"
    elif [ $((shard_count % masters)) -eq 0 ] || [ "${uneven%% *}" -gt 1 ]; then
        report warning shards "the masters have unequally many shards:${uneven#*[0-9]}" \
            "redis-cli --cluster rebalance $where_redis"
    else
        report note shards "$shard_count shards can't lie evenly on $masters masters" \
            "redis.shards = a multiple of $masters: see docs/cluster.md"
    fi
}

# A reshard that was broken off leaves slots in this state for ever.
judge_moves() {
    for move in $moves; do
        slot=${move#[}
        slot=${slot%%-*}
        shards=$(shards_of_slot "$slot")
        report warning moving "slot $slot${shards:+ (shard $shards)} is being moved:\
 ${shards:+its ids get 503 until that ends}" "wait for the reshard; if none runs:\
 redis-cli --cluster fix $where_redis"
    done
    moved=$(printf '%s' "$moves" | tr -d '[:space:]')
    [ -n "$moved" ] || report ok moving "no slot is being moved"
}

# Prints the numbers of the shards in the slot $1.
shards_of_slot() {
    at_shard=0
    for one in $slots; do
        [ "$one" != "$1" ] || echo "$at_shard"
        at_shard=$((at_shard + 1))
    done | paste -sd ' '
}

judge_cluster() {
    [ "$cluster" != unknown ] || {
        report unseen cluster "the nodes can't be read" "grant +cluster|nodes"
        judge_server
        return
    }
    judge_nodes
    judge_replicas
    judge_spread
    judge_moves
}
