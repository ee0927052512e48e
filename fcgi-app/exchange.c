/*
 * exchange: what libfcgi 2.4.2 needs to be used with sockets that it did not
 * accept.
 */
#include "exchange.h"

int
exchange_start(void)
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
exchange_hear(struct exchange *exchange, int fd)
{
    const char *method, *target;

    if (!read_request(&exchange->fcgx, fd)) {
        return false;
    }
    method = FCGX_GetParam("REQUEST_METHOD", exchange->fcgx.envp);
    target = FCGX_GetParam("REQUEST_URI", exchange->fcgx.envp);
    request_parse(&exchange->request, method != NULL ? method : "",
                  target != NULL ? target : "");
    return true;
}

bool
exchange_wants_callback(const struct exchange *exchange)
{
    return exchange->request.endpoint != NULL &&
           FCGX_GetParam("HTTP_VERVE_CALLBACK", exchange->fcgx.envp) == NULL;
}

void
exchange_answer(struct exchange *exchange, const struct answer *answer)
{
    char text[ANSWER_MAX_BYTES];
    size_t len = answer_format(answer, text);

    FCGX_PutStr(text, (int)len, exchange->fcgx.out);
    FCGX_Finish_r(&exchange->fcgx);
}
