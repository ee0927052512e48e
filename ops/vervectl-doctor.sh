# shellcheck shell=sh disable=SC2034,SC2153,SC2154 # shared with ops/vervectl
# vervectl doctor: looks at Redis, at this host and at the configuration for what
# goes wrong sooner or later, and says what to change. Reads only. ops/vervectl reads
# this file.
#
# A finding is a line of $findings: rank, severity, name, what, change, with tabs
# between them. What cannot be seen, such as the kernel of another host, is said so
# and not guessed.

GONE_MS=15000         # a program that is silent for so long is gone
FORGOTTEN_MS=86400000 # a sink that is idle for so long belongs to a host that is gone
TAB=$(printf '\t')

load doctor-redis
load doctor-tls
load doctor-cluster
load doctor-host

# report SEVERITY NAME WHAT [CHANGE]
report() {
    case $1 in
    critical) rank=1 ;;
    warning) rank=2 ;;
    note) rank=3 ;;
    unseen) rank=4 ;;
    *) rank=5 ;;
    esac
    # What has no weight is the same in most nodes of a cluster: said once.
    if [ "$rank" -gt 2 ] && [ -n "$server" ]; then
        case $findings in
        *"$TAB$1$TAB$2$TAB"*) return ;;
        esac
    fi
    [ "$rank" -ge "$worst" ] || worst=$rank
    what=$(printf '%s' "${server:+$server: }$3" | tr '\t\n' '  ' | tr -cd ' -~')
    change=$(printf '%s' "${4-}" | tr '\t\n' '  ' | tr -cd ' -~')
    findings="$findings$rank$TAB$1$TAB$2$TAB$what$TAB$change$NEWLINE"
}

# Prints the field $1 of INFO; nothing if it has no such field.
info() {
    printf '%s\n' "$info" | sed -n "s/^$1://p" | head -n 1
}

# The same for a number; 0 if there is none.
number() {
    value=$(info "$1")
    case $value in
    '' | *[!0-9]*) echo 0 ;;
    *) echo "$value" ;;
    esac
}

# Prints the parameter $1 of CONFIG GET; nothing if it can't be read.
parameter() {
    printf '%s\n' "$parameters" | awk -v name="$1" '
        NR % 2 == 1 { wanted = $0 == name; next }
        wanted { print }'
}

# Prints the facts that begin with the word $1, without it.
facts() {
    printf '%s\n' "$known" | sed -n "s/^$1 //p"
}

# Runs one command; sets $reply, which has the errors, too, and $code.
look() {
    code=0
    reply=$(call_redis "$@" 2>&1) || code=$?
}

# A command for the operator: "redis-cli -s /run/redis.sock CONFIG SET x y".
cli() {
    if [ -n "$socket" ]; then
        echo "$redis_cli -s $socket $*"
    else
        echo "$redis_cli -h $host -p $port${tls:+ --tls}\
${ca_file:+ --cacert $ca_file}${client_cert:+ --cert $client_cert}\
${client_key:+ --key $client_key} $*"
    fi
}

# What sets the parameter $1 of Redis to $2, now and for ever. With sentinels, the
# address is that of the master that they name.
setting_of_redis() {
    echo "$(cli CONFIG SET "$1" "'$2'"), and in redis.conf: $1 $2\
${master:+; the same at each server that $master may switch to}"
}

megabytes() {
    echo "$(($1 / 1048576 + 1)) MB"
}

# Runs a part of vervectl-doctor.lua, and adds its reply to the facts.
look_at_part() {
    look EVAL "$doctor_lua" "$@"
    [ "$code" -ne 0 ] || known="$known$reply$NEWLINE"
}

# Asks what a shard has to say of itself.
look_at_shard() {
    whose=Redis
    ! sharded || whose="shard $number"
    before_ms=$(date +%s%3N)
    look EVAL "$doctor_lua" 2 "$shard:meta" "$shard:reporters" shard
    after_ms=$(date +%s%3N)
    case $code$reply in
    0*"time "[0-9]*)
        known="$known$reply$NEWLINE"
        judge_clock
        judge_settings
        ;;
    *)
        away="$away${away:+ }$number"
        silence=$reply
        silences="$silences$number $(printf '%s' "$reply" | tr '\n' ' ')$NEWLINE"
        ;;
    esac
}

# What stands in keys of no shard, or of shard 0 alone.
look_at_rest() {
    look_at_part 1 "$prefix:windows" windows
    look_at_part 2 "$shard:presence" "$shard:presence-said" present "$GONE_MS"
    look_at_part 1 "$prefix:sinks" sinks "$FORGOTTEN_MS"
}

# False if there is nothing more to look at.
look_at_redis() {
    doctor_lua=$(cat "$parts/vervectl-doctor.lua")
    known='' silences='' settings=right first_skew_ms=0
    each_shard look_at_shard
    if [ -z "$known" ]; then
        known=$silence
        look_at_server
        judge_silence
        return 1
    fi
    judge_away
    [ "$settings$away" != right ] || report ok settings "this host has the\
 settings that Redis was set up with"
    look_at_rest
}

# Reads INFO and the settings of the server at $where_redis.
look_at_server() {
    look INFO
    info=$(printf '%s\n' "$reply" | tr -d '\r')
    # Not `look`: conf/redis.acl does not grant it, as it shows passwords.
    parameters=$(call_redis CONFIG GET appendonly appendfsync save tcp-backlog \
        maxmemory-policy disable-thp cluster-require-full-coverage \
        cluster-allow-reads-when-down 2>/dev/null) || parameters=''
}

# Some shards have answered, and others have not.
judge_away() {
    while read -r lost why; do
        [ -n "$lost" ] || continue
        take_shard "$lost" 0
        report critical redis "shard $lost${node:+ ($node)} does not answer:\
 ${why:-no answer within $LIMIT_S s}" \
            "start the node that has it, or let its replica take over"
    done <<END
$silences
END
    take_shard 0 0
}

# Prints what to do about a Redis that can't be used. The words are redis-cli's.
advise_use() {
    case $known in
    *"reset by peer"* | *"closed the connection"* | *SSL_connect* | \
        *"TLS connection"*)
        echo "see docs/redis-tls.md: the log of verve-reporter says which\
 certificate, key or port is wrong"
        ;;
    *) echo "start Redis: systemctl start redis-server@verve, or mend redis.url" ;;
    esac
}

# Redis has not answered the first question: why.
judge_silence() {
    version=$(info redis_version)
    case $known in
    '')
        report critical redis "Redis ($where_redis) hangs: no answer within\
 $LIMIT_S s" "look at its process and its log; a process that is stopped goes on\
 after kill -CONT PID"
        ;;
    *NOAUTH* | *WRONGPASS* | *"AUTH failed"* | *"invalid password"*)
        report critical redis "Redis refuses the login: $known" \
            "set the user and the password in redis.url, or redis.password_file"
        ;;
    *NOPERM*)
        report critical rights "the user may not run what doctor needs: $known" \
            "give the user the rights of redis.acl"
        ;;
    *)
        if [ -n "$version" ] && [ "${version%%.*}" -lt 7 ]; then
            judge_version
        else
            report critical redis "Redis ($where_redis) can't be used: $known" \
                "$(advise_use)"
        fi
        ;;
    esac
}

# What all programs agree on in this shard, against the configuration of this host.
judge_settings() {
    for field in window_seconds:window.seconds strategy:dedup.strategy \
        shards:redis.shards; do
        page=redis-keys
        [ "$field" != shards:redis.shards ] || page=cluster
        there=$(agreed "${field%%:*}")
        mine=$(setting "${field#*:}") || exit
        if [ -n "$there" ] && [ "$there" != "$mine" ]; then
            wrong_settings "${field#*:} is $there in $whose and $mine on\
 this host: programs of this host refuse to start" "set ${field#*:} = $there here,\
 or see docs/$page.md to change it everywhere"
            return
        fi
    done
    there=$(agreed shard)
    if sharded && [ -n "$there" ] && [ "$there" != "$number" ]; then
        wrong_settings "the keys of shard $number are those of shard $there: they\
 were moved by hand, or belong to another number of shards" "give this installation\
 a redis.prefix of its own, or see docs/cluster.md to change redis.shards"
    fi
}

# Prints the field $1 of `meta` of this shard.
agreed() {
    printf '%s\n' "$reply" | sed -n "s/^meta $1 //p"
}

# The same in all shards is said once.
wrong_settings() {
    [ "$settings" = right ] || return 0
    settings=wrong
    report critical settings "$1" "$2"
}

judge_programs() {
    all=$(facts config | sort -u)
    case $all in
    *verve-reporter/*) ;;
    *) report critical reporter "no reporter is alive: nothing is reported or called\
 back" "systemctl start verve-reporter" ;;
    esac
    case $all in
    *verve-fcgi/*) ;;
    *) report warning web-host "no web host is alive" "systemctl start verve.target" ;;
    esac
    [ -n "$all" ] || return 0
    versions=$(printf '%s\n' "$all" | sed 's/ .*//' | sort -u | wc -l)
    digests=$(printf '%s\n' "$all" | sed 's/ [^ ]*$//' | sort -u | wc -l)
    if [ "$versions" -gt 1 ]; then
        report warning versions "programs have different versions:\
 $(list_programs 1)" "upgrade the hosts with the older one"
    elif [ "$digests" -gt 1 ]; then
        report warning configuration "a host has an old configuration:\
 $(list_programs 2)" "copy /etc/verve/verve.conf to it, and restart: systemctl\
 reload 'verve-fcgi@*'; systemctl restart verve-reporter"
    else
        report ok configuration "all programs have the same version and configuration"
    fi
}

# Prints the programs by the column $1 of $all: "1.0: verve-fcgi/a; 1.1: .."
list_programs() {
    printf '%s\n' "$all" | awk -v column="$1" '
        { of[$column] = of[$column] " " $3 }
        END { for (one in of) print one ":" of[one] }' | sort | head -n 5 |
        paste -sd ';' | sed 's/;/; /g'
}

judge_sinks() {
    while read -r name days; do
        [ -n "$name" ] || continue
        report note sinks "no reporter has had the sink $name for $days days" \
            "vervectl sinks forget '$name', if its host is gone"
    done <<END
$(facts idle)
END
}

# All findings about one server of Redis.
judge_server() {
    look_at_server
    judge_version
    judge_role
    judge_eviction
    judge_persistence
    judge_memory
    judge_clients
    judge_rights
    judge_timeout
    judge_kernel_of_redis
}

judge_servers() {
    if [ -n "$cluster" ]; then
        judge_cluster
    else
        judge_server
    fi
}

show_findings() {
    printf '%s' "$findings" | sort -s -t "$TAB" -k 1,1n | awk -F '\t' '
        { printf "%-9s %-14s %s\n", $2, $3, $4 }
        $5 != "" { printf "%-9s %-14s %s\n", "", "change:", $5 }'
}

show_json() {
    printf '%s' "$findings" | sort -s -t "$TAB" -k 1,1n | awk -F '\t' '
        function text(word) {
            gsub(/\\/, "\\\\", word)
            gsub(/"/, "\\\"", word)
            return "\"" word "\""
        }
        BEGIN { printf "[" }
        {
            printf "%s\n  {\"severity\": %s, \"name\": %s, \"what\": %s, " \
                "\"change\": %s}", (NR > 1 ? "," : ""), text($2), text($3), \
                text($4), ($5 == "" ? "null" : text($5))
        }
        END { print "\n]" }'
}

run_doctor() {
    output=show_findings worst=9 findings='' server=''
    for word; do
        case $word in
        --json) output=show_json ;;
        *) wrong "doctor takes only --json" ;;
        esac
    done
    find_redis
    judge_tls
    if look_at_redis; then
        judge_servers
        judge_programs
        judge_sinks
    fi
    judge_backlog
    judge_descriptors
    "$output"
    case $worst in
    1) exit 2 ;;
    2) exit 1 ;;
    esac
    away='' # which was a finding
}
