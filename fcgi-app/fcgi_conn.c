/*
 * exchange: what libfcgi 2.4.2 needs to be used with sockets that it did not
 * accept.
 */
#include "fcgi_conn.h"

int
fcgi_conn_start(void)
{
    return FCGX_Init();
}

/*
 * The request must look as if it was kept alive, and be detached so that a
 * malformed one is closed without waiting up to 2 s for the peer.
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
    /* One request a connection, whatever the peer asks for. */
    fcgx->keepConnection = 0;
    if (FCGX_GetError(fcgx->in) != 0) {
        FCGX_Free(fcgx, 1);
        return false;
    }
    return true;
}

/* Parameters of the request, as the web server passes them (RFC 3875, 4.1). */
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
    return true;
}

bool
fcgi_conn_wants_callback(const struct fcgi_conn *conn)
{
    return conn->request.endpoint != NULL &&
           FCGX_GetParam("HTTP_VERVE_CALLBACK", conn->fcgx.envp) == NULL;
}

void
fcgi_conn_answer(struct fcgi_conn *conn, const struct response *answer)
{
    char text[RESPONSE_MAX_BYTES];
    size_t len = response_format(answer, text);

    FCGX_PutStr(text, (int)len, conn->fcgx.out);
    FCGX_Finish_r(&conn->fcgx);
}
