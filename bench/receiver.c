/*
 * receiver: answers callbacks as fast as one thread can, and notes when each
 * arrived. It knows just enough of HTTP/1.1 for the reporter's callbacks, and
 * trusts its clients.
 *
 *   receiver [-a] [-p PORTS] [-u HUNG] [-o FILE]
 *
 * Listens on PORTS ports of 127.0.0.1 and prints them in one line; with -a, on
 * these ports of all addresses of this host: 127.0.0.0/8 has many. The last
 * HUNG of them accept and read but never answer. On TERM it writes FILE, prints
 * the number of answers, and ends. FILE has a row for each request of
 * /<number>: the number and the microseconds since the Unix epoch, two 64-bit
 * integers.
 */
#define _GNU_SOURCE /* accept4, memmem, reallocarray */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/decimal.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

enum {
    EVENTS = 256,
    BUFFER_SIZE = 16384, /* a request is far shorter */
    PORTS_MAX = 4096,
    BACKLOG = 4096,
};

struct row {
    int64_t number;
    int64_t at_us;
};

/* A listening socket, a connection, or the signalfd. */
struct peer {
    bool listens;
    bool hung;
    size_t len;   /* bytes that are read and not yet answered */
    char *buffer; /* NULL: there is no such peer */
};

struct receiver {
    in_addr_t address; /* to listen on */
    int epoll_fd;
    int signal_fd;
    int64_t answered;
    struct peer *peers; /* by fd */
    size_t peer_count;
    struct row *rows;
    size_t row_count;
    size_t row_room;
};

static void
die(const char *what)
{
    perror(what);
    exit(111);
}

static int64_t
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void *
must(void *memory)
{
    if (memory == NULL) {
        die("memory");
    }
    return memory;
}

static void
watch(struct receiver *receiver, int fd, bool listens, bool hung)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    size_t before = receiver->peer_count;
    size_t wanted = (size_t)fd + 1;

    if (wanted > before) {
        receiver->peers = must(
            reallocarray(receiver->peers, 2 * wanted, sizeof(struct peer)));
        receiver->peer_count = 2 * wanted;
        memset(receiver->peers + before, 0,
               (receiver->peer_count - before) * sizeof(struct peer));
    }
    receiver->peers[fd] = (struct peer){
        .listens = listens,
        .hung = hung,
        .buffer = must(malloc(BUFFER_SIZE)),
    };
    if (epoll_ctl(receiver->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
}

static void
drop(struct receiver *receiver, int fd)
{
    close(fd);
    free(receiver->peers[fd].buffer);
    receiver->peers[fd].buffer = NULL;
}

/* Opens a port that the kernel chooses, and prints it. */
static void
listen_on(struct receiver *receiver, bool hung)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(receiver->address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
        listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        die("listen");
    }
    printf("%d ", ntohs(address.sin_port));
    watch(receiver, fd, true, hung);
}

static void
note(struct receiver *receiver, int64_t number)
{
    struct row row = {.number = number, .at_us = now_us()};

    if (receiver->row_count == receiver->row_room) {
        receiver->row_room = 2 * receiver->row_room + 65536;
        receiver->rows =
            must(reallocarray(receiver->rows, receiver->row_room, sizeof(row)));
    }
    receiver->rows[receiver->row_count++] = row;
}

/* Content-Length of the head that ends at `end`; 0 if there is none. */
static size_t
body_length(const char *head, const char *end)
{
    static const char name[] = "Content-Length:";
    const char *line = head;

    while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        line++;
        if (strncasecmp(line, name, sizeof(name) - 1) == 0) {
            return strtoul(line + sizeof(name) - 1, NULL, 10);
        }
    }
    return 0;
}

/* Notes one whole request. Returns its length; 0 if it is not whole yet. */
static size_t
take_request(struct receiver *receiver, const char *bytes, size_t len)
{
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    const char *path = memchr(bytes, '/', len);
    int64_t number;
    size_t size;

    if (end == NULL || path == NULL) {
        return 0;
    }
    size = (size_t)(end - bytes) + 4 + body_length(bytes, end);
    if (size > len) {
        return 0;
    }
    path++;
    if (decimal_parse(path, strcspn(path, " ?"), &number)) {
        note(receiver, number);
    }
    return size;
}

static bool
answer(struct receiver *receiver, int fd)
{
    struct peer *peer = &receiver->peers[fd];
    size_t done = 0;
    size_t size;

    while ((size = take_request(receiver, peer->buffer + done,
                                peer->len - done)) > 0) {
        done += size;
        if (!peer->hung) {
            receiver->answered++;
            if (write(fd, ANSWER, sizeof(ANSWER) - 1) < 0) {
                return false;
            }
        }
    }
    memmove(peer->buffer, peer->buffer + done, peer->len - done);
    peer->len -= done;
    return peer->len < BUFFER_SIZE - 1;
}

static void
take_bytes(struct receiver *receiver, int fd)
{
    struct peer *peer = &receiver->peers[fd];
    ssize_t n = read(fd, peer->buffer + peer->len, BUFFER_SIZE - peer->len - 1);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n > 0) {
        peer->len += (size_t)n;
        peer->buffer[peer->len] = '\0';
    }
    if (n <= 0 || !answer(receiver, fd)) {
        drop(receiver, fd);
    }
}

static void
take_connections(struct receiver *receiver, int listener)
{
    bool hung = receiver->peers[listener].hung;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
           0) {
        watch(receiver, fd, false, hung);
    }
}

/* Until TERM. */
static void
run(struct receiver *receiver)
{
    struct epoll_event events[EVENTS];

    for (;;) {
        int count = epoll_wait(receiver->epoll_fd, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd == receiver->signal_fd) {
                return;
            }
            if (receiver->peers[fd].listens) {
                take_connections(receiver, fd);
            } else {
                take_bytes(receiver, fd);
            }
        }
    }
}

static void
set_up(struct receiver *receiver)
{
    struct rlimit limit;
    sigset_t term;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    receiver->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    receiver->signal_fd = signalfd(-1, &term, SFD_CLOEXEC);
    if (receiver->epoll_fd < 0 || receiver->signal_fd < 0) {
        die("set up");
    }
    watch(receiver, receiver->signal_fd, false, false);
}

static void
write_rows(const struct receiver *receiver, const char *path)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL ||
        fwrite(receiver->rows, sizeof(*receiver->rows), receiver->row_count,
               file) != receiver->row_count ||
        fclose(file) != 0) {
        die(path);
    }
}

/* The value of a number option, from 0 to PORTS_MAX. */
static int
read_number(const char *text)
{
    int64_t number;

    if (!decimal_parse(text, strlen(text), &number) || number < 0 ||
        number > PORTS_MAX) {
        fprintf(stderr, "receiver: %s: not a number of ports\n", text);
        exit(100);
    }
    return (int)number;
}

int
main(int argc, char **argv)
{
    struct receiver receiver = {.address = INADDR_LOOPBACK};
    const char *path = NULL;
    int ports = 1;
    int hung = 0;
    int flag;

    while ((flag = getopt(argc, argv, "ap:u:o:")) != -1) {
        if (flag == 'p') {
            ports = read_number(optarg);
        } else if (flag == 'u') {
            hung = read_number(optarg);
        } else if (flag == 'o') {
            path = optarg;
        } else if (flag == 'a') {
            receiver.address = INADDR_ANY;
        } else {
            return 100;
        }
    }
    set_up(&receiver);
    for (int i = 0; i < ports; i++) {
        listen_on(&receiver, i >= ports - hung);
    }
    printf("\n");
    fflush(stdout);
    run(&receiver);
    if (path != NULL) {
        write_rows(&receiver, path);
    }
    printf("%" PRId64 "\n", receiver.answered);
    for (size_t i = 0; i < receiver.peer_count; i++) {
        free(receiver.peers[i].buffer);
    }
    free(receiver.peers);
    free(receiver.rows);
    return 0;
}
