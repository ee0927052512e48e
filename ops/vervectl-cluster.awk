# Makes one line of each node of a Redis Cluster out of CLUSTER NODES
# (https://redis.io/docs/latest/commands/cluster-nodes/):
#
#   <host> <port> <role> <id> <master> <state> <slots> <moves>
#
# role is master or replica, state up or failed. master is the id of a replica's
# master; slots are ranges and moves are slots under way, with commas; "-" is none.
# `asked` is the host that has answered, which may not know its own address; with
# `tls` a node is called by its name, which its certificate has.

NF >= 8 && $3 !~ /handshake|noaddr/ {
    slots = moves = ""
    for (i = 9; i <= NF; i++) {
        if ($i ~ /^\[/) {
            moves = moves (moves == "" ? "" : ",") $i
        } else {
            slots = slots (slots == "" ? "" : ",") $i
        }
    }
    print address($2), ($3 ~ /slave|replica/ ? "replica" : "master"), $1, $4, \
        ($3 ~ /fail/ ? "failed" : "up"), (slots == "" ? "-" : slots), \
        (moves == "" ? "-" : moves)
}

# "<ip>:<port>@<bus port>[,<name>][,<field>=<value>]" as "<host> <port>".
function address(text, part, count, host, port) {
    count = split(text, part, ",")
    sub(/@.*/, "", part[1])
    port = host = part[1]
    sub(/.*:/, "", port)
    sub(/:[^:]*$/, "", host)
    if (count > 1 && part[2] != "" && part[2] !~ /=/ && (tls || host == "")) {
        host = part[2]
    }
    return (host == "" ? asked : host) " " port
}
