# shellcheck shell=sh disable=SC2034,SC2153,SC2154 # shared with ops/vervectl
# The part of vervectl doctor about kernels: that of this host, and that of Redis's
# host if it is this one. ops/vervectl-doctor.sh reads this file, and has the
# functions that are used here.

LEAST_BACKLOG=4096    # of the pool: listen-backlog, Backlog=

# Whether Redis runs on this host, so that its kernel is ours.
is_local() {
    pid=$(number process_id)
    case ${socket:+socket}$host in
    socket | 127.* | localhost | ::1) ;;
    *) return 1 ;;
    esac
    grep -qE 'redis|valkey|keydb' "/proc/$pid/comm" 2>/dev/null
}

# Prints the first line of a file of the kernel; nothing if it can't be read.
kernel() {
    head -n 1 "/$1" 2>/dev/null || :
}

judge_kernel_of_redis() {
    if ! is_local; then
        report unseen kernel "Redis runs on another host or in a container:\
 vm.overcommit_memory, transparent huge pages and net.core.somaxconn of its\
 kernel can't be seen" "run vervectl doctor there"
        return
    fi
    judge_overcommit
    judge_huge_pages
    backlog=$(parameter tcp-backlog)
    somaxconn=$(kernel proc/sys/net/core/somaxconn)
    if [ -n "$backlog" ] && [ -n "$somaxconn" ] && [ "$somaxconn" -lt "$backlog" ]; then
        report note backlog-redis "tcp-backlog of Redis is $backlog, but\
 net.core.somaxconn is $somaxconn" "sysctl -w net.core.somaxconn=$LEAST_BACKLOG"
    fi
}

# With 0 the kernel refuses only what is obviously too much: a Redis that may take
# more than half of the machine.
judge_overcommit() {
    overcommit=$(kernel proc/sys/vm/overcommit_memory)
    case $overcommit in
    '') report unseen overcommit "this kernel does not tell vm.overcommit_memory" ;;
    1) report ok overcommit "vm.overcommit_memory is 1" ;;
    *)
        severity=note
        if [ "$overcommit" = 2 ] || [ "$(number maxmemory)" -eq 0 ] ||
            [ $(($(number maxmemory) * 2)) -gt "$(number total_system_memory)" ]; then
            severity=warning
        fi
        report "$severity" overcommit "vm.overcommit_memory is $overcommit: to\
 rewrite its file or to feed a replica, Redis may get no memory" "sysctl -w\
 vm.overcommit_memory=1, and vm.overcommit_memory=1 in /etc/sysctl.d/verve.conf"
        ;;
    esac
}

judge_huge_pages() {
    case $(kernel sys/kernel/mm/transparent_hugepage/enabled) in
    *"[always]"*)
        if [ "$(parameter disable-thp)" = yes ]; then
            report ok huge-pages "Redis has them off for itself (disable-thp)"
        else
            report note huge-pages "transparent huge pages are on: they make the\
 pauses of Redis longer, unless it has disable-thp yes" "echo madvise\
 >/sys/kernel/mm/transparent_hugepage/enabled"
        fi
        ;;
    '') report unseen huge-pages "this kernel does not tell" ;;
    *) report ok huge-pages "transparent huge pages are not always on" ;;
    esac
}

judge_backlog() {
    somaxconn=$(kernel proc/sys/net/core/somaxconn)
    if [ -z "$somaxconn" ]; then
        report unseen backlog "this kernel does not tell net.core.somaxconn"
    elif [ "$somaxconn" -lt "$LEAST_BACKLOG" ]; then
        report warning backlog "net.core.somaxconn is $somaxconn: the backlog of the\
 pool, $LEAST_BACKLOG, is cut to that, and a full backlog is a 500 or 502" \
            "sysctl -w net.core.somaxconn=$LEAST_BACKLOG, and the same in\
 /etc/sysctl.d/verve.conf; then restart the socket of the pool"
    else
        report ok backlog "net.core.somaxconn of this host is $somaxconn"
    fi
}

# A connection for each callback, a kept one beside it, and 512 for the rest.
judge_descriptors() {
    concurrency=$(setting callbacks.concurrency) || exit
    wanted=$((2 * concurrency + 512))
    seen=no
    for worker in $(facts worker); do
        [ "${worker%:*}" = "$(uname -n)" ] || continue
        files=$(awk '/^Max open files/ { print $5 }' \
            "/proc/${worker##*:}/limits" 2>/dev/null) || continue
        [ -n "$files" ] || continue
        seen=yes
        [ "$files" = unlimited ] || [ "$files" -ge "$wanted" ] || {
            report warning descriptors "the reporter $worker may open $files files,\
 and callbacks.concurrency = $concurrency may need $wanted" \
                "LimitNOFILE=65536 in verve-reporter.service (ulimit -Hn), or a\
 smaller callbacks.concurrency"
            return
        }
    done
    if [ "$seen" = yes ]; then
        report ok descriptors "the reporters of this host may open enough files"
    else
        report unseen descriptors "no reporter of this host delivers callbacks"
    fi
}
