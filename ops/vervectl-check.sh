# shellcheck shell=sh disable=SC2034,SC2153,SC2154 # shared with ops/vervectl
# vervectl check: a plugin for Nagios, Icinga and the like. ops/vervectl reads this
# file. Exit codes, status line and perfdata are those of the plugin guidelines
# (https://www.monitoring-plugins.org/doc/guidelines.html). Problems have the names
# of the alerts of conf/prometheus.
#
# A limit is WARNING,CRITICAL: the state begins above it, and for reporters below.

OK=0
WARNING=1
CRITICAL=2
UNKNOWN=3
GONE_MS=15000        # a program that is silent for so long is gone
FORGOTTEN_MS=86400000 # a sink that is idle for so long is not expected
GRACE_S=20           # a sink may be behind for so long
MOST_NAMED=5         # sinks, destinations or programs that one problem names

# Ends with one line. $1 is the state, $2 the text.
conclude() {
    set -- "$1" "$(printf '%s' "$2" | tr '\n|' ' /' | tr -cd ' -~')"
    case $1 in
    "$OK") word=OK ;;
    "$WARNING") word=WARNING ;;
    "$CRITICAL") word=CRITICAL ;;
    *) word=UNKNOWN ;;
    esac
    printf 'VERVE %s - %s%s\n' "$word" "$2" "${perf:+ |$perf}"
    trap - EXIT
    exit "$1"
}

# If a program is missing or a file can't be read, stderr has the reason.
conclude_anyway() {
    perf=''
    conclude "$UNKNOWN" "nothing was checked; see stderr, and verve-reporter -t"
}

# A usage error is UNKNOWN, and stands in the status line, too.
bad_usage() {
    perf=''
    conclude "$UNKNOWN" "$1; see $NAME -h"
}

# Sets $1_warning and $1_critical to the limits of $2.
take_limits() {
    wanted="--$1 needs WARNING,CRITICAL, each of at most 9 digits"
    case $2 in
    *,*) ;;
    *) bad_usage "$wanted: $2" ;;
    esac
    read_decimal "${2%%,*}" 9 || bad_usage "$wanted: $2"
    eval "${1}_warning=\$decimal"
    read_decimal "${2#*,}" 9 || bad_usage "$wanted: $2"
    eval "${1}_critical=\$decimal"
}

read_check() {
    limit=10
    take_limits age "$((2 * seconds + 10)),$((4 * seconds + 20))"
    take_limits gaps 0,4
    take_limits lag 0,5
    take_limits queue 80,95
    take_limits oldest 120,600
    take_limits dead 100,10000
    take_limits reporters 1,1
    take_limits memory 80,95
    take_limits skew 1,30
    take_limits destinations 0,100
    while [ $# -gt 0 ]; do
        case $1 in
        -t | --age | --gaps | --lag | --queue | --oldest | --dead | \
            --reporters | --memory | --skew | --destinations)
            [ $# -gt 1 ] || bad_usage "$1 needs a value"
            ;;
        *) bad_usage "check takes no $1" ;;
        esac
        if [ "$1" = -t ]; then
            limit=$2
        else
            take_limits "${1#--}" "$2"
        fi
        shift 2
    done
    if ! read_decimal "$limit" 4 || [ "$decimal" -eq 0 ]; then
        bad_usage "-t needs seconds, 1 to 9999: $limit"
    fi
    limit=$decimal
}

# Runs one command within what is left of the limit, less a second for the rest;
# sets $reply, which has the errors, too, and $code. A shard that hangs gets half of
# what is left, so that the others are asked, too.
try_redis() {
    left=$((limit - 1 + started - $(date +%s)))
    [ "$limit" -gt 1 ] || left=$((left + 1))
    LIMIT_S=$left
    ! sharded || LIMIT_S=$(((left + 1) / 2))
    code=124 reply=''
    if [ "$left" -gt 0 ]; then
        code=0
        reply=$(call_redis "$@" 2>&1) || code=$?
    fi
    [ "$code" -ne 124 ] || reply="hangs: no answer within $limit s"
}

# Runs a part of vervectl-check.lua, and adds its reply, which begins with the word
# $1, to the facts. False: Redis has not answered.
try_part() {
    word=$1
    shift
    try_redis EVAL "$check_lua" "$@"
    case $code$reply in
    0 | "0$word "*) known="$known$reply$NEWLINE" ;;
    *)
        note_silence
        return 1
        ;;
    esac
}

# A part was not answered. With one shard that is all there is to say.
note_silence() {
    case $reply in
    *NOAUTH* | *WRONGPASS* | *NOPERM* | *"AUTH failed"*) why=VerveRedisUnusable ;;
    hangs*)
        why=VerveRedisAway
        reply="Redis ($where_redis) $reply"
        ;;
    *)
        why=VerveRedisAway
        reply="Redis ($where_redis): $reply"
        ;;
    esac
    sharded || conclude "$CRITICAL" "$why: $reply"
    note "$CRITICAL" "$why: shard $number: $reply"
}

# Notes a problem: $1 is its state, $2 its name and text.
note() {
    [ "$1" -le "$state" ] || state=$1
    problems="$problems${problems:+; }$2"
}

# Sets $level to the state of the value $1 with the limits of $2.
judge() {
    level=$OK
    eval "warning=\${${2}_warning} critical=\${${2}_critical}"
    if [ "$1" = - ]; then
        return
    elif [ "$1" -gt "$critical" ]; then
        level=$CRITICAL
    elif [ "$1" -gt "$warning" ]; then
        level=$WARNING
    fi
}

# Adds perfdata: label, value with its unit, limits, least and most.
add_perf() {
    perf="$perf $1=$2;$3;$4;${5-};${6-}"
}

# judge_number LABEL VALUE UNIT NAME TEXT: a number with limits of its own.
judge_number() {
    judge "$2" "$1"
    [ "$2" = - ] ||
        add_perf "$1" "$2$3" "$warning" "$critical" 0
    [ "$level" -eq "$OK" ] || note "$level" "$4: $5"
}

check_write() {
    try_redis SET "$shard:ready" 1 EX 1
    case $reply in
    OK) ;;
    *OOM*)
        full=yes
        note "$CRITICAL" "VerveRedisFull: $whose is full and refuses\
 writes"
        ;;
    *NOPERM*)
        note "$WARNING" "the user of redis.url may not SET $shard:ready, so that\
 writes are not tried"
        ;;
    *)
        note "$CRITICAL" "VerveRedisRefuses: $whose refuses writes:\
 $reply"
        ;;
    esac
}

# The clock of Redis, $1, was read between $before_ms and $after_ms of this host.
check_clock() {
    skew_ms=$(($1 - (before_ms + after_ms) / 2))
    unsure_ms=$(((after_ms - before_ms) / 2))
    sign='' size_ms=$skew_ms
    if [ "$skew_ms" -lt 0 ]; then
        sign=- size_ms=$((-skew_ms))
    fi
    skew=$(printf '%s%d.%03d' "$sign" $((size_ms / 1000)) $((size_ms % 1000)))
    label=skew
    ! sharded || label=skew_$number
    perf="$perf $label=${skew}s;-$skew_warning:$skew_warning;-$skew_critical:$skew_critical;;"
    sure_ms=$((size_ms - unsure_ms))
    judge "$(((sure_ms > 0 ? sure_ms + 999 : 0) / 1000))" skew
    [ "$level" -eq "$OK" ] ||
        note "$level" "VerveClockWrong: wrong clock: that of $whose\
 differs by $skew s from that of this host"
}

# Adds the queue of a shard to the sums. A shard has its part of the limits, and is
# full if it has used up that part.
add_queue() {
    memory_limit=$memory_max
    [ "$memory_limit" != - ] || memory_limit=0
    if [ "$max_mb" -gt 0 ] || [ "$memory_limit" -eq 0 ]; then
        shard_bytes=$(((max_mb > 0 ? max_mb : 1024) * 1048576 / shard_count))
    else
        shard_bytes=$((memory_limit / 4 / per_node))
    fi
    shard_jobs=$(((max_jobs + shard_count - 1) / shard_count))
    by_jobs=$(($1 * 100 / shard_jobs))
    by_bytes=$(($2 / (shard_bytes / 100 + 1)))
    [ "$by_jobs" -le "$queue_percent" ] || queue_percent=$by_jobs
    [ "$by_bytes" -le "$queue_percent" ] || queue_percent=$by_bytes
    jobs=$((jobs + $1)) bytes=$((bytes + $2)) dead=$((dead + $3))
    max_bytes=$((max_bytes + shard_bytes))
    if [ "$4" != - ] && { [ "$oldest_ms" = - ] || [ "$4" -gt "$oldest_ms" ]; }; then
        oldest_ms=$4
    fi
}

check_queue() {
    judge "$queue_percent" queue
    add_perf queue "$jobs" $((max_jobs * queue_warning / 100)) \
        $((max_jobs * queue_critical / 100)) 0 "$max_jobs"
    add_perf queue_bytes "${bytes}B" $((max_bytes * queue_warning / 100)) \
        $((max_bytes * queue_critical / 100)) 0 "$max_bytes"
    [ "$level" -eq "$OK" ] || note "$level" "VerveQueueFull: the callback queue\
 is $queue_percent % full ($jobs callbacks, $bytes bytes)"
}

# Notes how full the Redis of a shard is: the fullest counts.
add_memory() {
    if [ "$memory_max" != - ] && [ "$memory_max" -gt 0 ]; then
        one=$((memory_used / (memory_max / 100 + 1)))
        if [ "$memory_percent" = - ] || [ "$one" -gt "$memory_percent" ]; then
            memory_percent=$one
        fi
    fi
}

check_memory() {
    judge "$memory_percent" memory
    [ "$memory_percent" = - ] ||
        add_perf memory "$memory_percent%" "$warning" "$critical" 0
    [ "$level" -eq "$OK" ] || [ "$full" = yes ] || note "$level" \
        "VerveRedisFull: Redis has used $memory_percent % of maxmemory"
}

check_reporters() {
    add_perf reporters "$reporters" "$reporters_warning:" \
        "$reporters_critical:" 0
    add_perf web_hosts "$web_hosts" '' '' 0
    if [ "$reporters" -lt "$reporters_critical" ]; then
        note "$CRITICAL" "VerveNoReporter: $(how_many "$reporters" reporter) alive"
    elif [ "$reporters" -lt "$reporters_warning" ]; then
        note "$WARNING" "VerveReporterDown: $(how_many "$reporters" reporter) alive"
    fi
}

# "no reporter is", "1 reporter is", "2 reporters are"
how_many() {
    case $1 in
    0) echo "no $2 is" ;;
    1) echo "1 $2 is" ;;
    *) echo "$1 ${2}s are" ;;
    esac
}

# Prints the facts that begin with the word $1, without it.
facts() {
    printf '%s\n' "$known" | sed -n "s/^$1 //p"
}

# Prints the first words of up to $MOST_NAMED lines of stdin, with commas.
named() {
    awk -v most="$MOST_NAMED" '
        NR <= most { text = text (NR > 1 ? ", " : "") $0 }
        END { print text (NR > most ? " and " NR - most " more" : "") }'
}

# The label of a sink; it must not have a quote or "=".
sink_label() {
    printf "'lag_%s'" "$(printf '%s' "$1" | tr "'=" __)"
}

# A sink needs only those windows that ended GRACE_S ago, or a window ago.
check_sinks() {
    behind='' most=0
    [ "$newest" != - ] || return 0
    grace_s=$((GRACE_S < seconds ? GRACE_S : seconds))
    wanted=$(((now_ms / 1000 - grace_s) / seconds * seconds - seconds))
    [ "$wanted" -lt "$newest" ] || wanted=$newest
    while read -r name raw; do
        [ -n "$name" ] || continue
        raw=$(printf '%bx' "$raw")
        try_redis EVAL "$check_lua" 1 "$prefix:sink:${raw%x}" lag "$wanted" \
            "$oldest" "$seconds"
        case $reply in
        "lag "*) lag=${reply#* } ;;
        *)
            note "$CRITICAL" "VerveRedisAway: sink $name: $reply"
            continue
            ;;
        esac
        judge "$lag" lag
        add_perf "$(sink_label "$name")" "$lag" "$warning" "$critical" 0
        [ "$level" -ne "$OK" ] || continue
        behind="$behind$name ($lag windows)$NEWLINE"
        [ "$lag" -le "$most" ] || most=$lag
    done <<END
$(facts sink)
END
    [ -n "$behind" ] || return 0
    judge "$most" lag
    note "$level" "VerveSinkFailing: sink down or behind:\
 $(printf '%s' "$behind" | named)"
}

check_destinations() {
    down=$(facts down | sed 's/ .*//' | sort -u)
    count=0
    [ -z "$down" ] || count=$(printf '%s\n' "$down" | wc -l)
    judge_number destinations "$count" '' VerveDestinationsDown \
        "destination down: $(printf '%s\n' "$down" | named)"
}

# Programs of one version have one configuration.
check_configurations() {
    differing=$(facts config | sort -u | awk '
        { groups[$1 " " $2] = groups[$1 " " $2] " " $3
          if (!seen[$1 " " $2]++) digests[$1]++ }
        END {
            for (group in groups) {
                split(group, part, " ")
                if (digests[part[1]] > 1) print part[2] ":" groups[group]
            }
        }' | sort)
    versions=$(facts config | sed 's/ .*//' | sort -u | wc -l)
    [ -z "$differing" ] || note "$WARNING" "VerveConfigDiffers: a host has an\
 old configuration: $(printf '%s\n' "$differing" | named)"
    [ "$versions" -le 1 ] || note "$WARNING" "VerveVersionsDiffer: the programs\
 have $versions versions"
}

# Asks a shard, and adds its numbers to the sums.
check_shard() {
    whose=Redis
    ! sharded || whose="shard $number"
    before_ms=$(date +%s%3N)
    try_part time 9 "$shard:meta" "$shard:born" "$shard:callbacks" "$shard:due" \
        "$shard:dead" "$shard:queue" "$shard:destinations" "$shard:strangers" \
        "$shard:reporters" shard "$seconds" "$shard:callbacks:" \
        "$shard:reporter:" || {
        away="$away${away:+ }$number"
        return 0
    }
    after_ms=$(date +%s%3N)
    # shellcheck disable=SC2046 # words
    set -- $(reply_of time) $(reply_of queue) $(reply_of memory)
    check_clock "$1"
    if [ "$number" = 0 ] || [ -z "$now_ms" ]; then
        now_ms=$1 seconds=$2 born=$3
    fi
    shift 3
    memory_used=$5 memory_max=$6
    add_queue "$@"
    add_memory
    check_write
}

# Prints the line of $reply that begins with the word $1, without it.
reply_of() {
    printf '%s\n' "$reply" | sed -n "s/^$1 //p"
}

check_windows() {
    newest=- oldest=- gaps=-
    try_part windows 1 "$prefix:windows" windows \
        $((now_ms / 1000 - 3600 - seconds)) || return 0
    # shellcheck disable=SC2046 # words
    set -- $(reply_of windows)
    newest=$1 oldest=$2 gaps=$3
    age=-
    if [ "$newest" != - ]; then
        age=$((now_ms / 1000 - newest - seconds))
        # It was recorded since the clock was read.
        [ "$age" -ge 0 ] || [ "$age" -lt "-$limit" ] || age=0
    elif [ "$born" != - ]; then
        age=$((now_ms / 1000 - born))
    fi
    summary="last window ended $age s ago"
    [ "$age" != - ] || summary="no window yet"
    judge_number age "$age" s VerveNotReporting \
        "the last recorded window ended $age s ago"
    judge_number gaps "$gaps" '' VerveWindowsLost \
        "$gaps windows of the last hour are gaps"
    try_part sink 1 "$prefix:sinks" sinks "$FORGOTTEN_MS" || return 0
    check_sinks
}

# Milliseconds as seconds; "-" as it is.
in_seconds() {
    if [ "$1" = - ]; then
        echo -
    else
        echo $(($1 / 1000))
    fi
}

check_jobs() {
    check_queue
    oldest=$(in_seconds "$oldest_ms")
    judge_number oldest "$oldest" s VerveCallbacksLate \
        "a callback has waited for $oldest s"
    judge_number dead "$dead" '' VerveCallbacksDying \
        "$dead callbacks were given up"
    check_destinations
}

# Who is there stands in shard 0.
check_programs() {
    reporters=0 web_hosts=0
    ! is_away 0 || return 0
    try_part live 2 "$shard:presence" "$shard:presence-said" present "$GONE_MS" ||
        return 0
    # shellcheck disable=SC2046 # words
    set -- $(reply_of live)
    reporters=$1 web_hosts=$2
    check_reporters
    check_configurations
}

run_check() {
    EXIT_USAGE=$UNKNOWN
    state=$OK problems='' perf=''
    started=$(date +%s)
    trap conclude_anyway EXIT
    find_program
    seconds=$(setting window.seconds 2>&1) || bad_usage "$seconds"
    read_check "$@"
    find_redis
    check_lua=$(cat "$parts/vervectl-check.lua")
    max_jobs=$(setting callbacks.max_queue) || exit
    max_mb=$(setting callbacks.max_queue_mb) || exit
    known='' now_ms='' full=no summary=''
    jobs=0 bytes=0 dead=0 oldest_ms=- max_bytes=0 queue_percent=0 memory_percent=-
    each_shard check_shard
    [ -n "$now_ms" ] || conclude "$CRITICAL" "$problems"
    check_windows
    check_jobs
    check_programs
    check_memory
    conclude "$state" "${problems:-$summary,\
 $jobs callbacks in the queue, $(how_many "$reporters" reporter) alive}"
}
