/*
 * A Kafka cluster of one broker for the end-to-end tests: librdkafka's mock,
 * which speaks the real protocol and fails on command.
 *
 *   kafka TOPIC      prints "ready HOST:PORT"; the topic has one partition
 *
 * Commands, a line each on stdin, each answered by "done"; end of file ends it:
 *
 *   error API CODE COUNT   the next COUNT requests of that API key fail with
 *                          that error code (-195: the connection is cut)
 *   clear API              the rest of these errors is forgotten
 *   down, up               the broker refuses or accepts connections
 *
 * https://kafka.apache.org/protocol has API keys and error codes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { BROKER = 1, ERRORS_MAX = 64 };

static void
push_errors(rd_kafka_mock_cluster_t *cluster, int api, int code, int count)
{
    rd_kafka_resp_err_t errors[ERRORS_MAX];

    for (int i = 0; i < ERRORS_MAX; i++) {
        errors[i] = (rd_kafka_resp_err_t)code;
    }
    rd_kafka_mock_push_request_errors_array(
        cluster, (int16_t)api,
        (size_t)(count < ERRORS_MAX ? count : ERRORS_MAX), errors);
}

static int
obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
    int api, code, count;

    if (sscanf(line, "error %d %d %d", &api, &code, &count) == 3) {
        push_errors(cluster, api, code, count);
    } else if (sscanf(line, "clear %d", &api) == 1) {
        rd_kafka_mock_clear_request_errors(cluster, (int16_t)api);
    } else if (strcmp(line, "down\n") == 0) {
        rd_kafka_mock_broker_set_down(cluster, BROKER);
    } else if (strcmp(line, "up\n") == 0) {
        rd_kafka_mock_broker_set_up(cluster, BROKER);
    } else {
        return -1;
    }
    return 0;
}

static int
serve(rd_kafka_mock_cluster_t *cluster, const char *topic)
{
    char line[256];

    rd_kafka_mock_topic_create(cluster, topic, 1, 1);
    printf("ready %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (obey(cluster, line) < 0) {
            fprintf(stderr, "kafka: what is that: %s", line);
            return 1;
        }
        puts("done");
        fflush(stdout);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_t *handle;
    char text[256];
    int code = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: kafka TOPIC\n");
        return 100;
    }
    handle = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text,
                          sizeof(text));
    if (handle == NULL) {
        fprintf(stderr, "kafka: %s\n", text);
        return 1;
    }
    cluster = rd_kafka_mock_cluster_new(handle, 1);
    if (cluster != NULL) {
        code = serve(cluster, argv[1]);
        rd_kafka_mock_cluster_destroy(cluster);
    }
    rd_kafka_destroy(handle);
    return code;
}
