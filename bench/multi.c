/*
 * multi: the peer of bench/hostile for https. A bare libcurl multi handle makes
 * one GET to each host, as many at once as the reporter would, with the TLS
 * settings of the reporter (reporter/net/tls.h), and keeps the connections.
 *
 *   multi [-c CONCURRENCY] [-p PORT] FILE
 *
 * FILE has a line "name address" for each host. Prints "ready" before the first
 * request; "done", the number of 2xx, and the number of others at the end.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/decimal.h"
#include "net/tls.h"

enum {
    NAME_SIZE = 256,
    READY_MS = 500, /* for the reader of /proc */
    TIMEOUT_MS = 15000,
};

/* A transfer, used for one host after another. */
struct transfer {
    CURL *easy;
    struct curl_slist *resolved;
};

struct run {
    CURLM *multi;
    FILE *hosts;
    int port;
    int under_way;
    long good;
    long bad;
};

static void
die(const char *what)
{
    fprintf(stderr, "multi: %s\n", what);
    exit(111);
}

static size_t
drop(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

/* Starts the transfer for the next host. False: there is none. */
static bool
start(struct run *run, struct transfer *transfer)
{
    char name[NAME_SIZE];
    char address[NAME_SIZE];
    char text[3 * NAME_SIZE];

    if (fscanf(run->hosts, "%255s %255s", name, address) != 2) {
        return false;
    }
    curl_slist_free_all(transfer->resolved);
    snprintf(text, sizeof(text), "+%s:%d:%s", name, run->port, address);
    transfer->resolved = curl_slist_append(NULL, text);
    curl_easy_setopt(transfer->easy, CURLOPT_RESOLVE, transfer->resolved);
    snprintf(text, sizeof(text), "https://%s:%d/", name, run->port);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, text);
    if (curl_multi_add_handle(run->multi, transfer->easy) != CURLM_OK) {
        die("add_handle");
    }
    run->under_way++;
    return true;
}

static void
open_transfer(struct transfer *transfer)
{
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL || tls_set_up(transfer->easy, NULL, NULL) != 0) {
        die("no handle");
    }
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(transfer->easy, CURLOPT_PROXY, "");
}

/* Counts the transfers that have ended, and starts others in their place. */
static void
take_ended(struct run *run)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(run->multi, &left)) != NULL) {
        struct transfer *transfer;
        CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        long status = 0;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        run->good += code == CURLE_OK && status / 100 == 2;
        run->bad += code != CURLE_OK || status / 100 != 2;
        curl_multi_remove_handle(run->multi, easy);
        run->under_way--;
        start(run, transfer);
    }
}

static void
work(struct run *run, int concurrency)
{
    struct transfer *transfers =
        calloc((size_t)concurrency, sizeof(*transfers));
    int running;

    if (transfers == NULL) {
        die("no memory");
    }
    for (int i = 0; i < concurrency; i++) {
        open_transfer(&transfers[i]);
    }
    printf("ready\n");
    fflush(stdout);
    usleep(READY_MS * 1000);
    for (int i = 0; i < concurrency && start(run, &transfers[i]); i++) {
    }
    while (run->under_way > 0) {
        curl_multi_perform(run->multi, &running);
        take_ended(run);
        curl_multi_poll(run->multi, NULL, 0, 100, NULL);
    }
    printf("done %ld %ld\n", run->good, run->bad);
    fflush(stdout);
    usleep(READY_MS * 1000);
    for (int i = 0; i < concurrency; i++) {
        curl_easy_cleanup(transfers[i].easy);
        curl_slist_free_all(transfers[i].resolved);
    }
    free(transfers);
}

static int
read_number(const char *text)
{
    int64_t number;

    if (!decimal_parse(text, strlen(text), &number) || number < 1 ||
        number > 65535) {
        die("not a number from 1 to 65535");
    }
    return (int)number;
}

int
main(int argc, char **argv)
{
    struct run run = {.port = 443};
    struct rlimit limit;
    int concurrency = 1024;
    int flag;

    while ((flag = getopt(argc, argv, "c:p:")) != -1) {
        if (flag == 'c') {
            concurrency = read_number(optarg);
        } else if (flag == 'p') {
            run.port = read_number(optarg);
        } else {
            return 100;
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    run.hosts = argc == optind + 1 ? fopen(argv[optind], "r") : NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    run.multi = curl_multi_init();
    if (run.hosts == NULL || run.multi == NULL) {
        die("a file of hosts, please");
    }
    curl_multi_setopt(run.multi, CURLMOPT_MAXCONNECTS, 2L * concurrency);
    work(&run, concurrency);
    curl_multi_cleanup(run.multi);
    curl_global_cleanup();
    fclose(run.hosts);
    return 0;
}
