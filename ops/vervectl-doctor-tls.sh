# shellcheck shell=sh disable=SC2034,SC2153,SC2154 # shared with ops/vervectl
# The part of vervectl doctor about TLS to Redis: the certificate of the server, as
# verve checks it (redis-cli does not compare its names with the host).
# ops/vervectl-doctor.sh reads this file, and has the functions that are used here.

CERTIFICATE_DAYS=14 # a certificate that ends so soon is a warning

# Makes a handshake as verve does; sets $hello, which has the certificate.
shake_hands() {
    sni=$(name_only "$host")
    check=-verify_ip
    [ -z "$sni" ] || check=-verify_hostname
    at=$host
    case $host in
    *:*) at="[$host]" ;;
    esac
    hello=$(timeout --foreground "$LIMIT_S" openssl s_client \
        -connect "$at:$port" ${sni:+-servername "$sni"} "$check" "$host" \
        ${ca_file:+-CAfile "$ca_file"} ${client_cert:+-cert "$client_cert"} \
        ${client_key:+-key "$client_key"} -verify_return_error \
        </dev/null 2>&1) || :
}

# Prints the first line of $hello that says what is wrong.
complaint() {
    printf '%s\n' "$hello" |
        sed -n 's/^.*verify error:num=[0-9]*:/certificate: /p
            s/^.*:error:[0-9A-F]*:[^:]*:[^:]*:\([^:]*\):.*/\1/p' | head -n 1
}

judge_tls() {
    [ -n "$tls" ] || return 0
    if ! command -v openssl >/dev/null; then
        report unseen tls "openssl is not installed here, so that the certificate\
 of $where_redis was not looked at" "apt install openssl"
        return
    fi
    shake_hands
    case $hello in
    *'CONNECTED('*) ;;
    *) return 0 ;; # look_at_redis says that there is no connection
    esac
    case $hello in
    *'Verify return code: 0 (ok)'*) ;;
    *)
        why=$(complaint)
        report critical tls "TLS with $where_redis fails: ${why:-no answer}" \
            "see docs/redis-tls.md, and redis.ca_file, redis.client_cert and\
 redis.client_key"
        return
        ;;
    esac
    ends=$(printf '%s\n' "$hello" | openssl x509 -noout -enddate 2>/dev/null) || :
    if printf '%s\n' "$hello" | openssl x509 -noout \
        -checkend $((CERTIFICATE_DAYS * 86400)) >/dev/null 2>&1; then
        report ok tls "the certificate of $where_redis ends at ${ends#*=}"
    else
        report warning tls "the certificate of $where_redis ends at ${ends#*=}" \
            "renew it: verve connects to no server with an expired certificate"
    fi
}
