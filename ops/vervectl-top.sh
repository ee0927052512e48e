# shellcheck shell=sh disable=SC2034,SC2154 # shared with ops/vervectl
# vervectl top: the status in a terminal, again and again. ops/vervectl reads this
# file.

load status

REFRESH=20    # tenths of a second between two looks
WORST=10      # destinations that are shown
SCREEN_ON=$(printf '\033[?1049h\033[?25l')  # xterm's other screen, no cursor
SCREEN_OFF=$(printf '\033[?25h\033[?1049l')

# Leaves the terminal as it was.
restore_terminal() {
    printf '%s' "$SCREEN_OFF"
    stty "$terminal"
}

# Keys come at once and without an echo. Ctrl-C works, Ctrl-Z does not, as it would
# leave the terminal in this state.
take_terminal() {
    terminal=$(stty -g) || exit "$EXIT_SYSTEM"
    trap restore_terminal EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    stty -icanon -echo min 0 time "$REFRESH" susp undef
    printf '%s' "$SCREEN_ON"
}

# Prints by how much $3 is above $1 in a second; $2 and $4 are the times in ms.
rate() {
    case $1,$3 in
    *[!0-9,]* | ,* | *,) echo - ;;
    *)
        if [ "$3" -ge "$1" ] && [ "$4" -gt "$2" ]; then
            echo $((($3 - $1) * 1000 / ($4 - $2)))
        else
            echo -
        fi
        ;;
    esac
}

# Prints how many requests the web host $url has answered; nothing if that cannot be
# read.
requests() {
    command -v curl >/dev/null || return 0
    curl -fsS --max-time 1 --noproxy '*' "$url/metrics" 2>/dev/null |
        awk '/^verve_requests_total[{ ]/ { n += $NF; any = 1 }
            END { if (any) printf "%.0f", n }'
}

# Sorts the destinations: those that are not called first, then by what waits.
# Leaves out those beyond $WORST, and all but three of the windows.
worst_first() {
    awk '$1 == "destination" {
            match($0, / waiting=[0-9]+/)
            print ($0 ~ / breaker=closed / ? 3 : 2), \
                substr($0, RSTART + 9, RLENGTH - 9), $0
            next
        }
        $1 != "reported" || windows++ < 3 { print 1, 100000 - NR, $0 }' |
        sort -k1,1n -k2,2gr | cut -d ' ' -f 3- |
        awk -v most="$WORST" '$1 != "destination" || n++ < most'
}

# Takes one look; sets $frame.
look() {
    now=$(date +%s%3N)
    total=$(requests)
    if ! lines=$(look_around && show_status 2>&1); then
        frame="$NAME top: $(printf '%s\n' "$lines" | tail -n 1)"
        return
    fi
    first=${lines%%"$NEWLINE"*}
    window=${first%% seconds=*}
    ids=${first##*count=}
    [ "$window" = "$window_before" ] || ids_before=
    frame="$NAME top  $(date -u +%H:%M:%S)  $where_redis\
  requests/s $(rate "$total_before" "$before" "$total" "$now")\
  new ids/s $(rate "$ids_before" "$before" "$ids" "$now")  q ends
$(printf '%s\n' "$lines" | worst_first)"
    before=$now total_before=$total ids_before=$ids window_before=$window
}

# Prints $frame, cut to the size that the terminal has now.
draw() {
    size=$(stty size 2>/dev/null) || size='24 80'
    [ "$size" != '0 0' ] || size='24 80'
    printf '%s\n' "$frame" | awk -v rows="${size% *}" -v columns="${size#* }" '
        NR <= rows {
            printf "%s%s\033[K", NR == 1 ? "\033[H" : "\n",
                substr($0, 1, columns)
        }
        END { printf "\033[J" }'
}

run_top() {
    [ $# -le 1 ] || wrong "top takes no arguments but the URL of a web host"
    url=${1-http://127.0.0.1}
    case $url in
    http://* | https://*) url=${url%/} ;;
    *) wrong "not a URL: $url" ;;
    esac
    if [ ! -t 0 ] || [ ! -t 1 ]; then
        wrong "top needs a terminal; $NAME status does not"
    fi
    connect
    LIMIT_S=3
    before='' total_before='' ids_before='' window_before=''
    take_terminal
    while :; do
        look
        draw
        # Fails if the terminal is gone.
        key=$(dd bs=1 count=1 2>/dev/null) || exit "$EXIT_SYSTEM"
        case $key in
        q | Q) exit 0 ;;
        esac
    done
}
