/*
 * sinks: the table of all sinks, one row each.
 */
#include "sinks.h"

const struct sink_type *const sinks[SINKS] = {
    &sink_file,
    &sink_syslog,
    &sink_kafka,
    &sink_kinesis,
};

bool
sinks_wanted(const struct options *options, const struct sink_type *type)
{
    return (options->report.sinks & (int)type->kind) != 0;
}

const char *
sinks_place(const struct options *options, char host[HOST_NAME_SIZE])
{
    if (options->sink.name[0] != '\0') {
        return options->sink.name;
    }
    host_name(host);
    return host;
}

int
sinks_check(const struct options *options, option_complaint *complain,
            void *context)
{
    int result = 0;

    for (size_t i = 0; i < SINKS; i++) {
        char why[SINK_WHY_SIZE];

        if (sinks_wanted(options, sinks[i]) && sinks[i]->check != NULL &&
            sinks[i]->check(options, why) < 0) {
            options_complain(options, why, complain, context);
            result = -1;
        }
    }
    return result;
}
