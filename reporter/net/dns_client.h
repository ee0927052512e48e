/*
 * Asks for the addresses of names: /etc/hosts first, then the name servers of
 * /etc/resolv.conf or of callbacks.resolvers, by c-ares on the event loop. It
 * remembers nothing and sets no limit: see dns_cache.h. The other sources of
 * nsswitch.conf(5) are not asked.
 */
#ifndef DNS_CLIENT_H
#define DNS_CLIENT_H

#include <stdint.h>

#include "event_loop.h"

struct dns_client;

/*
 * The end of a question. addresses is a list as in CURLOPT_RESOLVE,
 * 192.0.2.1,[2001:db8::1], in the order of RFC 6724, borrowed for the call;
 * NULL if there are none. ttl_s is the shortest lifetime of its records (RFC
 * 1035, 3.2.1); 0 if they come from /etc/hosts. It may ask again.
 */
typedef void dns_client_handler(void *context, const char *addresses,
                                int64_t ttl_s);

/*
 * servers is of dns_servers_parse; "": those of /etc/resolv.conf. A question
 * with one server ends after patience_ms at most, with n servers after n times
 * as long. loop is borrowed, servers copied. NULL: no memory.
 */
struct dns_client *dns_client_open(struct event_loop *loop, const char *servers,
                                   int64_t patience_ms);

/* Open questions end without a call of their handlers. Not in a handler. */
void dns_client_close(struct dns_client *client);

/*
 * Asks for a name. Calls handler once, perhaps before it returns. 0, or -1
 * without a call of handler: the system refuses. Does not block.
 */
int dns_client_ask(struct dns_client *client, const char *name,
                   dns_client_handler *handler, void *context);

#endif
