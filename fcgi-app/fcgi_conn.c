/*
 * fcgi_conn: how libfcgi 2.4.2 is used with sockets that it did not accept.
 */
#include "fcgi_conn.h"

/*
 * The request must look as if its connection was kept alive, so that libfcgi
 * uses ipcFd. It must also be detached, so that a malformed request is closed
 * at once: libfcgi would wait up to 2 s for the peer.
 */
static bool
read_request(FCGX_Request *fcgx, int fd)
{
    FCGX_InitRequest(fcgx, -1, 0);
    fcgx->ipcFd = fd;
    fcgx->keepConnection = 1;
    FCGX_Detach(fcgx);
    if (FCGX_Accept_r(fcgx) != 0) {
        return false;
    }
    /* One request per connection, whatever the peer asks for. */
    fcgx->keepConnection = 0;
    if (FCGX_GetError(fcgx->in) != 0) {
        FCGX_Free(fcgx, 1);
        return false;
    }
    return true;
}

/* The parameters' names are those of CGI (RFC 3875, 4.1). */
bool
fcgi_conn_read(struct fcgi_conn *conn, int fd)
{
    const char *method, *target;

    if (!read_request(&conn->fcgx, fd)) {
        return false;
    }
    method = FCGX_GetParam("REQUEST_METHOD", conn->fcgx.envp);
    target = FCGX_GetParam("REQUEST_URI", conn->fcgx.envp);
    request_parse(&conn->request, method != NULL ? method : "",
                  target != NULL ? target : "");
    if (conn->request.endpoint != NULL &&
        FCGX_GetParam("HTTP_VERVE_CALLBACK", conn->fcgx.envp) != NULL) {
        conn->request.endpoint = NULL;
        conn->request.endpoint_len = 0;
    }
    return true;
}

void
fcgi_conn_respond(struct fcgi_conn *conn, const struct response *response)
{
    char text[RESPONSE_MAX_BYTES];
    size_t len = response_format(response, text);

    FCGX_PutStr(text, (int)len, conn->fcgx.out);
    FCGX_Finish_r(&conn->fcgx);
}
