/*
 * file_stamp: padding is zeroed, too, so that memcmp can compare.
 */
#include "file_stamp.h"

#include <stddef.h>
#include <string.h>

struct file_stamp
file_stamp_of(const char *path)
{
    struct file_stamp stamp;
    struct stat status;

    memset(&stamp, 0, sizeof(stamp));
    if (path != NULL && path[0] != '\0' && stat(path, &status) == 0) {
        stamp.device = status.st_dev;
        stamp.inode = status.st_ino;
        stamp.size = status.st_size;
        stamp.changed = status.st_mtim;
    }
    return stamp;
}
