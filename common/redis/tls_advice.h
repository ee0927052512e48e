/*
 * What an operator can do if TLS to Redis fails. All texts are static; "": no
 * advice. Private to this room.
 */
#ifndef TLS_ADVICE_H
#define TLS_ADVICE_H

/* The server closed the connection during the handshake. */
extern const char tls_advice_closed[];

/* The handshake did not end in time: that, and what to do. */
extern const char tls_advice_silent[];

/* For a connection without TLS: a server that seems to have it. To be appended
   to an error. */
extern const char tls_advice_plain[];

/* verdict: of SSL_get_verify_result. */
const char *tls_advice_of_verdict(long verdict);

/* code: of ERR_peek_last_error. */
const char *tls_advice_of_reason(unsigned long code);

#endif
