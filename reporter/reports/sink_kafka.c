/*
 * sink_kafka: one message is under way at a time, so that no failure can put
 * windows out of order; a delivery report settles it. The producer is made at
 * the first offer, and anew once it has failed for good ("fatal"). Its threads
 * are librdkafka's; it calls us only from our loop, which its queue wakes up
 * through an eventfd.
 */
#define _GNU_SOURCE /* asprintf */
#include "sink_kafka.h"

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

enum {
    FAIL_WAIT_MS = 1000,
    LINGER_MS = 500, /* at the end, for the message that is under way */
};

struct kafka {
    struct sink sink; /* first: a sink is a kafka */
    const struct options *options;
    struct event_loop *loop;
    int event_fd;         /* readable when the producer has something to say */
    rd_kafka_t *producer; /* NULL: none yet */
    bool again;           /* it is not the first */
    bool fatal;           /* it will never produce again */
    bool busy;            /* a message is under way: */
    int64_t sent_s;       /* its window */
    char reason[256];     /* what librdkafka complained of last; or "" */
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

/* Whether a report is on what is under way, and not on what was dropped. */
static bool
is_ours(const struct kafka *kafka, const rd_kafka_message_t *message)
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
    if (!is_ours(kafka, message)) {
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
 * What goes wrong. Most of it librdkafka tries again, and it is no verdict on
 * a message. Of a producer that has failed for good no report need come.
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

/* What librdkafka logs is for debugging, but for the warnings of what is
   configured, which every producer repeats: those of the first one. */
static void
on_log(const rd_kafka_t *producer, int level, const char *facility,
       const char *text)
{
    const struct kafka *kafka = rd_kafka_opaque(producer);

    if (level <= LOG_WARNING && strcmp(facility, "CONFWARN") == 0 &&
        !kafka->again) {
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
 * Has the producer write to our fd when its queue is no longer empty. What came
 * before that wakes nobody: so the first time we do it.
 */
static void
watch(struct kafka *kafka)
{
    static const uint64_t one = 1; /* as eventfd(2) adds up */
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(kafka->producer);

    rd_kafka_set_log_queue(kafka->producer, NULL);
    rd_kafka_queue_io_event_enable(queue, kafka->event_fd, &one, sizeof(one));
    rd_kafka_queue_destroy(queue); /* our reference to it */
    eventfd_write(kafka->event_fd, one);
}

static int
make_producer(struct kafka *kafka)
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
        rd_kafka_conf_destroy(conf); /* only on success it is the producer's */
        fail(kafka, text);
        return -1;
    }
    watch(kafka);
    return 0;
}

static void
end_producer(struct kafka *kafka)
{
    if (kafka->producer != NULL) {
        rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE |
                                            RD_KAFKA_PURGE_F_INFLIGHT |
                                            RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_destroy(kafka->producer);
        kafka->producer = NULL;
        kafka->again = true;
    }
    kafka->fatal = false;
}

#define TEXT_HEADER(name, text) RD_KAFKA_V_HEADER(name, text, strlen(text))

/*
 * CloudEvents 1.0, Kafka binding, binary mode: the same window is the same id,
 * so that a second copy can be told.
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
        end_producer(kafka);
    }
    if (kafka->producer == NULL && make_producer(kafka) < 0) {
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
    rd_kafka_flush(kafka_of(sink)->producer, LINGER_MS); /* calls on_report */
}

static void
kafka_close(struct sink *sink)
{
    struct kafka *kafka = kafka_of(sink);

    end_producer(kafka);
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
        kafka->sink.name = NULL; /* else it is undefined: asprintf(3) */
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
