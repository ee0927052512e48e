/*
 * rights: the call of rights.lua. The build finds the commands of each script,
 * and the linker the scripts of the program, so that no list can be out of
 * date.
 */
#include "rights.h"

#include <string.h>

#include "base/util.h"
#include "keys.h"
#include "rights.lua.h"
#include "schema.h"

/* The keys that rights.lua looks at: with and without a hash tag. */
static const enum key samples[] = {KEY_META, KEY_WINDOWS};

/* Adds each of the commands, which are separated by spaces. */
static void
add_commands(struct command *call, const char *commands)
{
    while (*commands != '\0') {
        size_t len = strcspn(commands, " ");

        redis_arg(call, commands, len);
        commands += len + strspn(commands + len, " ");
    }
}

/* True if the script belongs to another dedup.strategy: accept-<strategy>. */
static bool
is_unused(const struct redis_script *script, const struct options *options)
{
    return starts_with(script->name, "accept-") &&
           strcmp(script->name + strlen("accept-"), schema_strategy(options)) !=
               0;
}

static void
add_samples(struct command *call, const struct options *options)
{
    struct key_parts parts = {.prefix = options->redis.prefix,
                              .tag = options->redis.tag};
    size_t count = sizeof(samples) / sizeof(samples[0]);

    redis_arg_int(call, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        struct key_stem key = keys_stem(samples[i], &parts);

        redis_arg(call, key.text, key.len);
    }
}

static void
add_args(void *context, struct command *call)
{
    const struct options *options = context;
    const struct redis_script *const *scripts;
    size_t count;

    add_samples(call, options);
    add_commands(call, "EVALSHA");
    if (options->redis.wait_replicas > 0) {
        add_commands(call, "WAIT");
    }
    scripts = redis_scripts(&count);
    for (size_t i = 0; i < count; i++) {
        if (!is_unused(scripts[i], options)) {
            add_commands(call, scripts[i]->commands);
        }
    }
}

struct redis_check
rights_check(const struct options *options)
{
    return (struct redis_check){.script = &script_rights,
                                .add_args = add_args,
                                .context = (void *)options};
}
