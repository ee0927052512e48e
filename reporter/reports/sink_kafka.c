/*
 * sink_kafka: produces each window's record to a Kafka topic, at least once and
 * in order, with the window's start as key. One message is in flight at a time,
 * so that a failure cannot change the order; its delivery report settles the
 * offer.
 *
 * The producer is created at the first offer, and again after a fatal error.
 * It has threads of librdkafka, but its callbacks run only in rd_kafka_poll on
 * our event loop: its queue wakes the loop through an eventfd.
 */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rfc3339.h"
#include "kafka_config.h"
#include "record_format.h"
#include "sinks.h"

enum {
    FAIL_WAIT_MS = 1000,
    FINISH_MS = 500, /* when the sink is closed, for the message in flight */
};

struct kafka {
    struct sink sink; /* first: a struct sink is cast to this */
    const struct options *options;
    struct event_loop *loop;
    int event_fd;         /* readable if the producer's queue has an event */
    rd_kafka_t *producer; /* NULL: none yet */
    bool recreated;       /* the producer is not the first */
    bool fatal;           /* the producer had a fatal error: it is useless */
    bool busy;            /* a message is in flight */
    int64_t sent_s;       /* start of that message's window */
    char reason[256];     /* the last error of librdkafka, or "" */
};

static struct kafka *
kafka_of(struct sink *sink)
{
    return (struct kafka *)sink;
}

static void
fail(struct kafka *kafka, const char *what)
{
    struct sink *sink = &kafka->sink;

    kafka->busy = false;
    snprintf(sink->error, sizeof(sink->error), "%.200s%s%s", what,
             kafka->reason[0] != '\0' ? ": " : "", kafka->reason);
    sink->events.failed(sink->events.context, FAIL_WAIT_MS);
}

/* Whether a delivery report is on the message in flight, and not on a message
   that was dropped before. */
static bool
is_in_flight(const struct kafka *kafka, const rd_kafka_message_t *message)
{
    int64_t start_s;

    return kafka->busy && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
           message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT &&
           rfc3339_parse(message->key, message->key_len, &start_s) == 0 &&
           start_s == kafka->sent_s;
}

/* The delivery report. */
static void
on_report(rd_kafka_t *producer, const rd_kafka_message_t *message,
          void *context)
{
    struct kafka *kafka = context;
    struct sink *sink = &kafka->sink;

    (void)producer;
    if (!is_in_flight(kafka, message)) {
        return;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(kafka, rd_kafka_err2str(message->err));
        return;
    }
    kafka->busy = false;
    kafka->reason[0] = '\0';
    sink->events.delivered(sink->events.context, kafka->sent_s);
}

/*
 * Most errors are no result of a message: librdkafka retries by itself. After a
 * fatal error a delivery report may never come, so that the offer fails here.
 */
static void
on_error(rd_kafka_t *producer, int error, const char *reason, void *context)
{
    struct kafka *kafka = context;

    if (error == RD_KAFKA_RESP_ERR__FATAL) {
        kafka->fatal = true;
        rd_kafka_fatal_error(producer, kafka->reason, sizeof(kafka->reason));
    } else {
        snprintf(kafka->reason, sizeof(kafka->reason), "%s", reason);
    }
    if (kafka->busy && kafka->fatal) {
        fail(kafka, "the producer has failed for good");
    } else if (kafka->busy) {
        snprintf(kafka->sink.error, sizeof(kafka->sink.error), "%s",
                 kafka->reason);
    }
}

/* Log lines of librdkafka are for debugging. Warnings about the configuration
   are not, but every producer repeats them: only the first producer's count. */
static void
on_log(const rd_kafka_t *producer, int level, const char *facility,
       const char *text)
{
    const struct kafka *kafka = rd_kafka_opaque(producer);

    if (level <= LOG_WARNING && strcmp(facility, "CONFWARN") == 0 &&
        !kafka->recreated) {
        log_warn("librdkafka: %s", text);
    } else {
        log_debug("librdkafka: %s: %s", facility, text);
    }
}

static void
on_event(void *context, int fd, uint32_t events)
{
    struct kafka *kafka = context;
    uint64_t count;

    (void)events;
    (void)!read(fd, &count, sizeof(count));
    if (kafka->producer != NULL) {
        rd_kafka_poll(kafka->producer, 0);
    }
}

/*
 * Has the producer write to event_fd if its queue was empty and gets an event.
 * Events that came before this call do not: so event_fd is written to once.
 */
static void
watch_queue(struct kafka *kafka)
{
    static const uint64_t one = 1; /* eventfd(2) takes 8 bytes */
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(kafka->producer);

    rd_kafka_set_log_queue(kafka->producer, NULL);
    rd_kafka_queue_io_event_enable(queue, kafka->event_fd, &one, sizeof(one));
    rd_kafka_queue_destroy(queue); /* only our reference */
    eventfd_write(kafka->event_fd, one);
}

static int
create_producer(struct kafka *kafka)
{
    char text[SINK_WHY_SIZE];
    rd_kafka_conf_t *conf = kafka_config_make(kafka->options, text);

    if (conf == NULL) {
        fail(kafka, text);
        return -1;
    }
    rd_kafka_conf_set(conf, "bootstrap.servers", kafka->options->kafka.brokers,
                      text, sizeof(text));
    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    kafka->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (kafka->producer == NULL) {
        rd_kafka_conf_destroy(conf); /* a producer would own it */
        fail(kafka, text);
        return -1;
    }
    watch_queue(kafka);
    return 0;
}

static void
destroy_producer(struct kafka *kafka)
{
    if (kafka->producer != NULL) {
        rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE |
                                            RD_KAFKA_PURGE_F_INFLIGHT |
                                            RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_destroy(kafka->producer);
        kafka->producer = NULL;
        kafka->recreated = true;
    }
    kafka->fatal = false;
}

#define TEXT_HEADER(name, text) RD_KAFKA_V_HEADER(name, text, strlen(text))

/*
 * Produces a CloudEvent 1.0, Kafka protocol binding, binary mode. A second copy
 * of a window has the same id, so that consumers recognise it.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 */
static rd_kafka_resp_err_t
produce(struct kafka *kafka, const struct window_record *record)
{
    const struct options *options = kafka->options;
    char start[RFC3339_SIZE], end[RFC3339_SIZE];
    char json[RECORD_FORMAT_SIZE], source[128];
    size_t len = record_format_json(json, record);

    if (len == 0) {
        return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    }
    rfc3339_format(start, record->start_s);
    rfc3339_format(end, record->start_s + record->length_s);
    snprintf(source, sizeof(source), "/verve/%s", options->redis.prefix);
    return rd_kafka_producev(
        kafka->producer, RD_KAFKA_V_TOPIC(options->kafka.topic),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(start, strlen(start)), RD_KAFKA_V_VALUE(json, len),
        TEXT_HEADER("content-type", "application/json"),
        TEXT_HEADER("ce_specversion", "1.0"), TEXT_HEADER("ce_id", start),
        TEXT_HEADER("ce_source", source),
        TEXT_HEADER("ce_type", "verve.window.closed"),
        TEXT_HEADER("ce_time", end), RD_KAFKA_V_END);
}

static void
kafka_offer(struct sink *sink, const struct window_record *records,
            size_t count)
{
    struct kafka *kafka = kafka_of(sink);
    rd_kafka_resp_err_t error;

    (void)count; /* 1: see sink_kafka below */
    if (kafka->fatal) {
        log_debug("%s: the producer is made anew: %s", sink->name,
                  kafka->reason);
        destroy_producer(kafka);
    }
    if (kafka->producer == NULL && create_producer(kafka) < 0) {
        return;
    }
    kafka->busy = true;
    kafka->sent_s = records[0].start_s;
    snprintf(sink->error, sizeof(sink->error), "%s", kafka->reason);
    error = produce(kafka, &records[0]);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka->fatal = kafka->fatal || error == RD_KAFKA_RESP_ERR__FATAL;
        fail(kafka, rd_kafka_err2str(error));
    }
}

static void
kafka_drop(struct sink *sink)
{
    struct kafka *kafka = kafka_of(sink);

    kafka->busy = false;
    rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE |
                                        RD_KAFKA_PURGE_F_INFLIGHT |
                                        RD_KAFKA_PURGE_F_NON_BLOCKING);
}

static void
kafka_finish(struct sink *sink)
{
    rd_kafka_flush(kafka_of(sink)->producer, FINISH_MS); /* calls on_report */
}

static void
kafka_close(struct sink *sink)
{
    struct kafka *kafka = kafka_of(sink);

    destroy_producer(kafka);
    if (kafka->event_fd >= 0) {
        event_loop_forget(kafka->loop, kafka->event_fd);
        close(kafka->event_fd);
    }
    free(sink->name);
    free(sink);
}

static struct sink *
kafka_open(const struct options *options, struct event_loop *loop,
           const struct sink_events *events)
{
    struct kafka *kafka = calloc(1, sizeof(*kafka));

    if (kafka == NULL) {
        return NULL;
    }
    kafka->sink.type = &sink_kafka;
    kafka->sink.events = *events;
    kafka->options = options;
    kafka->loop = loop;
    kafka->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (asprintf(&kafka->sink.name, "kafka:%s", options->kafka.topic) < 0) {
        kafka->sink.name = NULL; /* undefined otherwise: asprintf(3) */
    }
    if (kafka->sink.name == NULL || kafka->event_fd < 0 ||
        event_loop_watch(loop, kafka->event_fd, EPOLLIN, on_event, kafka) < 0) {
        kafka_close(&kafka->sink);
        return NULL;
    }
    return &kafka->sink;
}

const struct sink_type sink_kafka = {
    .kind = SINK_KAFKA,
    .most = 1,
    .check = kafka_config_check,
    .open = kafka_open,
    .close = kafka_close,
    .offer = kafka_offer,
    .finish = kafka_finish,
    .drop = kafka_drop,
};
