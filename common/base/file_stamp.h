/*
 * Tells whether a file has changed since it was read.
 */
#ifndef FILE_STAMP_H
#define FILE_STAMP_H

#include <sys/stat.h>

/* Zeroed: there is no file. Compare by memcmp. */
struct file_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* The stamp of the file at path now; NULL and "": no file. */
struct file_stamp file_stamp_of(const char *path);

#endif
