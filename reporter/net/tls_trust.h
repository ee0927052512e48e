/*
 * The CA certificates that are trusted if a file of one's own adds to those of
 * the system.
 */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

struct tls_trust;
struct x509_store_st; /* OpenSSL's X509_STORE */

/* file is in PEM form, and borrowed. NULL: it can't be read, or no memory. */
struct tls_trust *tls_trust_open(const char *file);
void tls_trust_close(struct tls_trust *trust);

/*
 * The certificates, borrowed until the next call. If the file or the system's
 * bundle has changed, both are read again, which takes some 10 ms; if that
 * fails, the old certificates stay.
 */
struct x509_store_st *tls_trust_store(struct tls_trust *trust);

#endif
