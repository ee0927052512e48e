/*
 * log_path: access(2) asks for the real user's rights, which are those of the
 * process: no program here is set-user-ID. A file may be made in a folder where
 * this process can write; an existing file needs no right to write to its
 * folder, as rotation is the business of another program.
 */
#include "log_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/line_file.h"
#include "base/util.h"

/*
 * The descriptors of the process itself, such as /dev/stdout, or a link to it.
 * They are open, and what they lead to (a pipe or socket of another user, for
 * example) need not be a file that could be opened again. -t may have another
 * stdout than the program that will run, or none.
 */
static bool
is_descriptor(const char *path)
{
    return strcmp(path, "/dev/stdout") == 0 ||
           strcmp(path, "/dev/stderr") == 0 || starts_with(path, "/dev/fd/") ||
           starts_with(path, "/proc/self/fd/") ||
           line_file_names_standard(path);
}

/* True if a failed call tells of a wrong path. Others may end by themselves. */
static bool
blames_path(int reason)
{
    switch (reason) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENAMETOOLONG:
        return true;
    default:
        return false;
    }
}

/* Writes the user that this process runs as. Returns 0 if the call that failed
   with errno blames no path, else -1. */
static int
refuse(const char *what, const char *path, char why[LOG_PATH_WHY_SIZE])
{
    int reason = errno;

    snprintf(why, LOG_PATH_WHY_SIZE, "user %u cannot %s \"%.1024s\": %s",
             (unsigned)getuid(), what, path, strerror(reason));
    return blames_path(reason) ? -1 : 0;
}

/* Looks at the folder of a file that does not exist. */
static int
check_folder(const char *path, char why[LOG_PATH_WHY_SIZE])
{
    size_t len = (size_t)(strrchr(path, '/') - path);
    char folder[PATH_MAX];
    struct stat status;

    snprintf(folder, sizeof(folder), "%.*s", len == 0 ? 1 : (int)len, path);
    if (stat(folder, &status) != 0) {
        if (errno != ENOENT && errno != ENOTDIR) {
            return refuse("look at", folder, why);
        }
        snprintf(why, LOG_PATH_WHY_SIZE,
                 "there is no folder \"%.1024s\"; make it, with the right to "
                 "write for the user of this program",
                 folder);
        return -1;
    }
    if (!S_ISDIR(status.st_mode)) {
        snprintf(why, LOG_PATH_WHY_SIZE, "\"%.1024s\" is not a folder", folder);
        return -1;
    }
    return access(folder, W_OK | X_OK) == 0
               ? 0
               : refuse("make a file in", folder, why);
}

/* What a file is that cannot be appended to, or NULL. Only a regular file can
   be read, too. */
static const char *
wrong_type(const struct stat *status, bool is_read)
{
    if (S_ISSOCK(status->st_mode)) {
        return "a socket";
    }
    if (S_ISBLK(status->st_mode)) {
        return "a block device";
    }
    return is_read && !S_ISREG(status->st_mode) ? "not a regular file" : NULL;
}

int
log_path_check(const char *path, bool is_read, char why[LOG_PATH_WHY_SIZE])
{
    struct stat status;
    int mode = W_OK | (is_read ? R_OK : 0);
    const char *wrong;
    bool exists;

    if (is_descriptor(path)) {
        return 0;
    }
    exists = stat(path, &status) == 0;
    if (path[strlen(path) - 1] == '/' || (exists && S_ISDIR(status.st_mode))) {
        snprintf(why, LOG_PATH_WHY_SIZE,
                 "\"%.1024s\" is a folder; name a file in it", path);
        return -1;
    }
    wrong = exists ? wrong_type(&status, is_read) : NULL;
    if (wrong != NULL) {
        snprintf(why, LOG_PATH_WHY_SIZE, "\"%.1024s\" is %s", path, wrong);
        return -1;
    }
    if (access(path, mode) == 0) {
        return 0;
    }
    if (errno != ENOENT && errno != ENOTDIR) {
        return refuse(is_read ? "read and write" : "write", path, why);
    }
    /* A link to a file that does not exist yet is left to the open. */
    return lstat(path, &status) == 0 ? 0 : check_folder(path, why);
}
