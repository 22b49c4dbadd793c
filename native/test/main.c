// Runs every registered unit test; fails when one failed or when there were none.
#include "unit.h"

#include <stdbool.h>

enum { CASES_MAX = 200 };
static struct registered {
  const char *name;
  unit_case run;
} cases[CASES_MAX];
static int count;
static bool failed;

void unit_register(const char *name, unit_case run) {
  if (count < CASES_MAX) cases[count++] = (struct registered){name, run};
}

void unit_fail(const char *file, int line, const char *what) {
  if (!failed) fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
  failed = true;
}

int main(void) {
  int passed = 0;
  for (int i = 0; i < count; i++) {
    failed = false;
    cases[i].run();
    passed += !failed;
    if (failed) printf("FAIL %s\n", cases[i].name);
  }
  printf("%d passed, %d failed\n", passed, count - passed);
  return passed == count && count > 0 ? 0 : 1;
}
