/* A clock that leaps: preloaded into the server by tests/it/clock.rs, it adds the seconds in the
 * file that LEAP_FILE names to the system's clock, and those behind them to the running one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long long leap(int running)
{
    long long wall = 0, passed = 0;
    const char *name = getenv("LEAP_FILE");
    FILE *file = name ? fopen(name, "r") : NULL;
    if (file) {
        if (fscanf(file, "%lld %lld", &wall, &passed) < 1)
            wall = 0;
        fclose(file);
    }
    return running ? passed : wall;
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, at);
    if (result == 0)
        at->tv_sec += leap(clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE);
    return result;
}

int gettimeofday(struct timeval *at, void *zone)
{
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
