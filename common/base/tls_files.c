/*
 * tls_files: OpenSSL reads the files. Before that a look makes sure that it
 * cannot wait for them.
 */
#include "tls_files.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <unistd.h>

#include "regular_file.h"

/* Without a passphrase: nobody is there to type it. A pem_password_cb. */
static int
refuse_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

const char *
tls_files_key(const struct tls_files *files)
{
    return files->key[0] != '\0' ? files->key : files->cert;
}

/* Why OpenSSL cannot read a file, or could wait for it; NULL: it can. */
static const char *
problem_of(const char *path)
{
    const char *why = NULL;
    int fd = path[0] == '\0' ? -1 : regular_file_open(path, &why);

    if (fd >= 0) {
        close(fd);
    }
    return why;
}

static enum tls_files_state
find_unreadable(const struct tls_files *files, const char **why)
{
    if ((*why = problem_of(files->ca)) != NULL) {
        return TLS_FILES_CA;
    }
    if ((*why = problem_of(files->cert)) != NULL) {
        return TLS_FILES_CERT;
    }
    *why = problem_of(files->key);
    return *why == NULL ? TLS_FILES_OK : TLS_FILES_KEY;
}

static enum tls_files_state
load(SSL_CTX *context, const struct tls_files *files)
{
    if (files->ca[0] != '\0' &&
        SSL_CTX_load_verify_locations(context, files->ca, NULL) != 1) {
        return TLS_FILES_CA;
    }
    if (files->cert[0] == '\0') {
        return files->key[0] == '\0' ? TLS_FILES_OK : TLS_FILES_KEY;
    }
    if (SSL_CTX_use_certificate_chain_file(context, files->cert) != 1) {
        return TLS_FILES_CERT;
    }
    if (SSL_CTX_use_PrivateKey_file(context, tls_files_key(files),
                                    SSL_FILETYPE_PEM) == 1) {
        return TLS_FILES_OK;
    }
    return files->key[0] != '\0' ? TLS_FILES_KEY : TLS_FILES_CERT;
}

enum tls_files_state
tls_files_load(SSL_CTX *context, const struct tls_files *files,
               const char **why)
{
    enum tls_files_state state = find_unreadable(files, why);

    if (state != TLS_FILES_OK) {
        return state;
    }
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
    state = load(context, files);
    *why = ERR_reason_error_string(ERR_peek_last_error());
    if (*why == NULL) {
        *why = "there is no client_cert";
    }
    ERR_clear_error();
    return state;
}

enum tls_files_state
tls_files_check(const struct tls_files *files, const char **why)
{
    SSL_CTX *context;
    enum tls_files_state state;

    if (files->ca[0] == '\0' && files->cert[0] == '\0' &&
        files->key[0] == '\0') {
        return TLS_FILES_OK; /* also if OpenSSL can do no TLS here */
    }
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) {
        *why = "no memory";
        return TLS_FILES_CA;
    }
    state = tls_files_load(context, files, why);
    SSL_CTX_free(context);
    return state;
}
