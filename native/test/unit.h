// A small frame for unit tests: each file registers its cases, main.c runs and counts them.
// Sanitizers abort the run, so a "passed" case was clean too.
#ifndef RINGTAP_UNIT_H
#define RINGTAP_UNIT_H
#include <stdio.h>
#include <string.h>

typedef void (*unit_case)(void);
void unit_register(const char *name, unit_case run);
void unit_fail(const char *file, int line, const char *what);

#define TEST(name)                                                                          \
  static void name(void);                                                                   \
  __attribute__((constructor)) static void register_##name(void) { unit_register(#name, name); } \
  static void name(void)

#define CHECK(condition)                                            \
  do {                                                              \
    if (!(condition)) unit_fail(__FILE__, __LINE__, #condition);    \
  } while (0)
#endif
