/*
 * Whether a file that is written could be opened, found out without making
 * anything. Only for the files of config.
 */
#ifndef LOG_PATH_H
#define LOG_PATH_H

#include <stdbool.h>

enum { LOG_PATH_WHY_SIZE = 4096 };

/*
 * Looks whether this process could append to the file at an absolute path, or
 * make it; with `is_read`, read it, too, which has to be a regular file then;
 * else a FIFO or a character device will do. The process's own descriptors
 * (/dev/stdout) are always right. Returns 0, or -1 with a sentence in why if an
 * operator has to change the path or the folder.
 */
int log_path_check(const char *path, bool is_read, char why[LOG_PATH_WHY_SIZE]);

#endif
