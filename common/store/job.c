/*
 * job: the text of a callback job. An operator may have edited a job in Redis
 * by hand, so every part of it is checked. If job_read sets a url, the id is
 * safe in a header and in a log line, the responder would have accepted the
 * endpoint, and the numbers are within their bounds.
 */
#include "job.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/util.h"
#include "endpoint_url.h"

enum { JOB_VERSION = 1 };

/* The last second that RFC 3339 can express: 9999-12-31T23:59:59Z. */
static const int64_t last_second = 253402300799;

static bool
id_is_safe(const char *id)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = strlen(id);

    return len > 0 && len <= JOB_ID_MAX_BYTES && strspn(id, safe) == len;
}

/* The members of a job, borrowed from its parsed JSON. */
struct content {
    const char *id;
    const char *url;
    size_t url_len;
    json_int_t window_s;
    json_int_t at_ms;
    json_int_t count;
    json_int_t returned;
    struct trace_context trace;
};

/* A member that is a text; NULL: it is none. */
static const char *
text_of(const json_t *root, const char *name)
{
    return json_string_value(json_object_get(root, name));
}

static bool
content_read(struct content *content, json_t *root)
{
    json_int_t version;

    if (json_unpack(root, "{s:I, s:s, s:s%, s:I, s:I}", "v", &version, "id",
                    &content->id, "url", &content->url, &content->url_len,
                    "window", &content->window_s, "count",
                    &content->count) != 0) {
        return false;
    }
    content->at_ms = json_integer_value(json_object_get(root, "at"));
    content->returned = json_integer_value(json_object_get(root, "returned"));
    trace_context_read(&content->trace, text_of(root, "tp"),
                       text_of(root, "ts"), text_of(root, "rid"));
    return version == JOB_VERSION && id_is_safe(content->id) &&
           endpoint_url_check(content->url, &content->url_len) ==
               ERROR_CODE_NONE &&
           content->window_s >= 0 && content->window_s <= last_second &&
           content->count >= 0;
}

/* Finds the parts of the member; false if there are not three. */
static bool
split(struct job *job)
{
    const char *end = job->member + job->member_len;
    const char *attempts = memchr(job->member, ' ', job->member_len);
    const char *json;

    if (attempts == NULL) {
        return false;
    }
    attempts++;
    json = memchr(attempts, ' ', (size_t)(end - attempts));
    if (json == NULL) {
        return false;
    }
    job->json = json + 1;
    job->json_len = (size_t)(end - job->json);
    return decimal_parse(attempts, (size_t)(json - attempts), &job->attempts) &&
           job->attempts >= 0 && job->attempts < INT32_MAX;
}

/* A job with a copy of the member, and texts_len bytes of room behind it. */
static struct job *
job_new(const char *member, size_t len, size_t texts_len)
{
    struct job *job = calloc(1, sizeof(*job) + len + 1 + texts_len);

    if (job != NULL) {
        job->member = (char *)(job + 1);
        memcpy(job->member, member, len);
        job->member_len = len;
        job->json = job->member;
        job->json_len = len;
    }
    return job;
}

/* 0, or -1: no memory. */
static int
copy_trace(struct job *job, const struct trace_context *trace)
{
    if (trace_context_is_set(trace)) {
        job->trace = malloc(sizeof(*trace));
        if (job->trace == NULL) {
            return -1;
        }
        *job->trace = *trace;
    }
    return 0;
}

static void
copy_content(struct job *job, const struct content *content)
{
    char *id = job->member + job->member_len + 1;
    size_t id_size = strlen(content->id) + 1;
    char *url = id + id_size;

    memcpy(id, content->id, id_size);
    job->id = id;
    memcpy(url, content->url, content->url_len);
    job->url = url;
    job->window_s = content->window_s;
    job->at_ms =
        content->at_ms > last_second * 1000 ? 0 : int64_max(content->at_ms, 0);
    job->count = content->count;
    job->returned = int64_max(content->returned, 0);
}

struct job *
job_read(const char *member, size_t len)
{
    enum { TEXTS_MAX_BYTES = JOB_ID_MAX_BYTES + ENDPOINT_URL_MAX_BYTES + 2 };
    struct job *job = job_new(member, len, TEXTS_MAX_BYTES);
    struct content content;
    json_t *root;

    if (job == NULL || !split(job)) {
        return job;
    }
    root = json_loadb(job->json, job->json_len, 0, NULL);
    if (root != NULL && content_read(&content, root)) {
        copy_content(job, &content);
        if (copy_trace(job, &content.trace) != 0) {
            job_free(job);
            job = NULL;
        }
    }
    json_decref(root);
    return job;
}

void
job_free(struct job *job)
{
    if (job != NULL) {
        free(job->trace);
        free(job);
    }
}

int64_t
job_now_ms(const struct job *job)
{
    return clock_mono_ms() + job->clock_ms;
}

/* Sets a member, or removes it if value is 0. 0, or -1: no memory. */
static int
set_number(json_t *object, const char *name, int64_t value)
{
    if (value == 0) {
        (void)json_object_del(object, name);
        return 0;
    }
    return json_object_set_new(object, name, json_integer(value));
}

/*
 * The JSON with "error" set, and with "attempts" and "returned" set unless they
 * are 0. malloc'd; NULL if the JSON can't be parsed or there is no memory.
 */
static char *
annotate(const struct job *job, int64_t attempts, int64_t returned,
         const char *error)
{
    json_t *root = json_loadb(job->json, job->json_len, 0, NULL);
    char *text = NULL;

    if (root != NULL && set_number(root, "attempts", attempts) == 0 &&
        set_number(root, "returned", returned) == 0 &&
        json_object_set_new(root, "error", json_string(error)) == 0) {
        text = json_dumps(root, JSON_COMPACT);
    }
    json_decref(root);
    return text;
}

char *
job_waiting(const struct job *job, int64_t attempts, const char *error,
            size_t *len)
{
    char *json =
        error[0] == '\0' ? NULL : annotate(job, 0, job->returned, error);
    size_t json_len = json == NULL ? job->json_len : strlen(json);
    char head[32];
    int head_len = snprintf(head, sizeof(head), "- %" PRId64 " ", attempts);
    char *text = malloc((size_t)head_len + json_len);

    if (text != NULL) {
        memcpy(text, head, (size_t)head_len);
        memcpy(text + head_len, json == NULL ? job->json : json, json_len);
        *len = (size_t)head_len + json_len;
    }
    free(json);
    return text;
}

char *
job_dead_entry(const struct job *job, int64_t attempts, const char *error,
               size_t *len)
{
    char *text = job->url == NULL ? NULL : annotate(job, attempts, 0, error);

    if (text != NULL) {
        *len = strlen(text);
        return text;
    }
    text = malloc(job->json_len + 1);
    if (text != NULL) {
        memcpy(text, job->json, job->json_len);
        *len = job->json_len;
    }
    return text;
}
