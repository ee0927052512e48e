/*
 * Opens files that are to be read to their end. Reading a FIFO or a device
 * could wait for ever.
 */
#ifndef REGULAR_FILE_H
#define REGULAR_FILE_H

/*
 * Opens a regular file, or /dev/null, for reading. Does not wait for a FIFO's
 * writer. Returns the fd, or -1 with the reason in *why, which is valid until
 * the next call of strerror.
 */
int regular_file_open(const char *path, const char **why);

#endif
