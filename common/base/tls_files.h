/*
 * The certificates and the key of a TLS client.
 */
#ifndef TLS_FILES_H
#define TLS_FILES_H

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* Files in PEM form; "": none. */
struct tls_files {
    const char *ca;   /* certificates to be trusted */
    const char *cert; /* of this side, with its chain */
    const char *key;  /* of cert; "": it is in the file of cert */
};

enum tls_files_state {
    TLS_FILES_OK,
    TLS_FILES_CA,   /* ca can't be used */
    TLS_FILES_CERT, /* cert can't be used */
    TLS_FILES_KEY,  /* key can't be used with cert */
};

/* The file with the key of files->cert. */
const char *tls_files_key(const struct tls_files *files);

/*
 * Reads the files into context; ca is trusted beside what is trusted already.
 * If a file can't be used, *why says so, until the next call of strerror.
 */
enum tls_files_state tls_files_load(struct ssl_ctx_st *context,
                                    const struct tls_files *files,
                                    const char **why);

/* Reads the files, for nothing but the result. */
enum tls_files_state tls_files_check(const struct tls_files *files,
                                     const char **why);

#endif
