/*
 * variable: the names of environment variables. No section has an underscore in
 * its name, so that the first underscore ends the section.
 */
#include "variable.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

static const char prefix[] = "VERVE_";

/* Variables that are not for the programs, though programs may inherit them:
   those of conf, docker-compose.yml, the tests and the benchmarks. */
static const char *const of_scripts[] = {
    "VERVE_CONF",         "VERVE_FCGI",        "VERVE_SOCKET",
    "VERVE_PROCS",        "VERVE_REDIS_IMAGE", "VERVE_BUILD",
    "VERVE_BUILD_BEFORE", "VERVE_SCALE",       "VERVE_MARATHON_WINDOWS",
    "VERVE_TEST_EDGE",    "VERVE_TEST_REDIS",  "VERVE_TRIES",
};

/* Kubernetes sets such variables in each pod, for a service named `verve`. */
static const char *const of_service[] = {"VERVE_SERVICE_", "VERVE_PORT"};

static bool
is_of_scripts(const char *variable)
{
    for (size_t i = 0; i < sizeof(of_scripts) / sizeof(of_scripts[0]); i++) {
        if (strcmp(variable, of_scripts[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool
is_of_service(const char *variable)
{
    for (size_t i = 0; i < sizeof(of_service) / sizeof(of_service[0]); i++) {
        if (starts_with(variable, of_service[i])) {
            return true;
        }
    }
    return false;
}

const char *
variable_copy(char variable[OPTION_NAME_SIZE], const char *entry)
{
    size_t len = strcspn(entry, "=");

    if (entry[len] != '=' || len >= OPTION_NAME_SIZE) {
        return NULL;
    }
    memcpy(variable, entry, len);
    variable[len] = '\0';
    return entry + len + 1;
}

void
variable_write(char variable[OPTION_NAME_SIZE], const char *name)
{
    snprintf(variable, OPTION_NAME_SIZE, "%s%s", prefix, name);
    for (char *c = variable; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

/* Writes the part after VERVE_ in small letters: redis_timeout_ms. */
static void
write_rest(char rest[OPTION_NAME_SIZE], const char *variable)
{
    snprintf(rest, OPTION_NAME_SIZE, "%s", variable + strlen(prefix));
    for (char *c = rest; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
}

/*
 * Makes a property's name of a key: librdkafka's names have dots in place of
 * underscores. Our suffix keeps its underscore.
 */
static void
dot_property(char *key)
{
    char *underscore = key;

    while ((underscore = strchr(underscore, '_')) != NULL &&
           strcmp(underscore, OPTION_FILE_SUFFIX) != 0) {
        *underscore = '.';
    }
}

bool
variable_read(char name[OPTION_NAME_SIZE], const char *variable)
{
    const struct option_row *row;
    char *key;

    if (!starts_with(variable, prefix) || is_of_scripts(variable)) {
        return false;
    }
    write_rest(name, variable);
    key = strchr(name, '_');
    if (key == NULL) {
        return false;
    }
    *key = '\0';
    if (!option_section_exists(name)) {
        return false;
    }
    *key = '.';
    row = option_find(name);
    if (row != NULL && row->type == OPTION_PROPERTIES) {
        dot_property(key);
    }
    return true;
}

bool
variable_is_unknown(const char *variable)
{
    char name[OPTION_NAME_SIZE];

    return starts_with(variable, prefix) && !is_of_scripts(variable) &&
           !is_of_service(variable) && !variable_read(name, variable);
}

/* The row may be that of any property: then the rest is taken over. */
bool
variable_nearest(char nearest[OPTION_NAME_SIZE], const char *variable)
{
    char rest[OPTION_NAME_SIZE];
    char name[OPTION_NAME_SIZE];
    const struct option_row *row;

    write_rest(rest, variable);
    row = option_nearest_joined(rest);
    if (row == NULL) {
        return false;
    }
    snprintf(name, sizeof(name), "%s.%.200s", row->section,
             row->type == OPTION_PROPERTIES ? rest + strcspn(rest, "_") + 1
                                            : row->key);
    variable_write(nearest, name);
    return true;
}
