/*
 * A name server on the event loop of a test, at a port of 127.0.0.1 (RFC 1035,
 * 4.1). What it answers depends on the first letter of the name: g, a good
 * name, has the address 127.0.0.1 and no IPv6 address; s, a silent name, gets
 * no answer; any other name does not exist.
 */
#ifndef NAME_SERVER_H
#define NAME_SERVER_H

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/event_loop.h"

enum { NAME_SERVER_A = 1 };

struct name_server {
    int fd;
    char address[32]; /* as in callbacks.resolvers */
    uint8_t ttl_s;
    bool silent; /* no name gets an answer */
    int asked;   /* questions for IPv4 addresses */
};

static inline void
name_server_on_question(void *context, int fd, uint32_t events)
{
    struct name_server *server = context;
    uint8_t bytes[1024];
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof(peer);
    ssize_t len = recvfrom(fd, bytes, sizeof(bytes) - 16, MSG_DONTWAIT,
                           (struct sockaddr *)&peer, &peer_size);
    size_t end = 12;
    bool good = bytes[13] == 'g';
    bool four;

    (void)events;
    if (len < 17) {
        return;
    }
    while (bytes[end] != 0) {
        end += bytes[end] + 1u;
    }
    end += 5;
    four = bytes[end - 3] == NAME_SERVER_A;
    server->asked += four;
    if (server->silent || bytes[13] == 's') {
        return;
    }
    bytes[2] = 0x81;
    bytes[3] = good ? 0x80 : 0x83;
    memset(bytes + 6, 0, 6);
    if (good && four) {
        const uint8_t record[16] = {
            0xc0,          12, 0, NAME_SERVER_A, 0, 1, 0, 0, 0,
            server->ttl_s, 0,  4, 127,           0, 0, 1};

        bytes[7] = 1;
        memcpy(bytes + end, record, sizeof(record));
        end += sizeof(record);
    }
    sendto(fd, bytes, end, 0, (struct sockaddr *)&peer, peer_size);
}

static inline void
name_server_open(struct name_server *server, struct event_loop *loop)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int room = 4 << 20;

    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(server->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    getsockname(server->fd, (struct sockaddr *)&address, &size);
    snprintf(server->address, sizeof(server->address), "127.0.0.1:%d",
             ntohs(address.sin_port));
    assert_int_equal(event_loop_watch(loop, server->fd, EPOLLIN,
                                      name_server_on_question, server),
                     0);
}

static inline void
name_server_close(struct name_server *server, struct event_loop *loop)
{
    event_loop_forget(loop, server->fd);
    close(server->fd);
}

#endif
