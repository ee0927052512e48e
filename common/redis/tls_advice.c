/*
 * tls_advice: OpenSSL's words name what is wrong; these say where to mend it.
 */
#include "tls_advice.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#define TLS_PORT "rediss:// needs the port that is tls-port in redis.conf"

const char tls_advice_closed[] =
    "is it a TLS port, and has it reached its maxclients? " TLS_PORT;
const char tls_advice_silent[] =
    "the TLS handshake did not end in time; is it a TLS port? " TLS_PORT;
const char tls_advice_plain[] =
    "; if that port is for TLS, write rediss:// in redis.url";

const char *
tls_advice_of_verdict(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "renew the certificate, or set the clock of this host";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the certificate must have this host among its names "
               "(subjectAltName)";
    default:
        return "redis.ca_file must have the certificate of its CA";
    }
}

const char *
tls_advice_of_reason(unsigned long code)
{
    if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
        return "";
    }
    switch (ERR_GET_REASON(code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_BAD_RECORD_TYPE:
        return "this is no TLS: " TLS_PORT;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "verve needs TLS 1.2 or later";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "it wants a certificate (redis.client_cert), or it has no "
               "cipher "
               "with ECDHE";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "set redis.client_cert and redis.client_key";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "it refuses redis.client_cert: renew it, or set the clock of "
               "Redis's host";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
        return "it refuses redis.client_cert: tls-ca-cert-file in redis.conf "
               "must have the CA of that";
    default:
        return "";
    }
}
