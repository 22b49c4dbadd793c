// Configuration file, see config.h.
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static char *trim(char *text) {
  while (isspace((unsigned char)*text)) text++;
  char *end = text + strlen(text);
  while (end > text && isspace((unsigned char)end[-1])) *--end = 0;
  return text;
}

static int apply_line(struct options *o, const char *path, int number, char *line, struct failure *f) {
  char *name = trim(line);
  if (!*name || *name == '#') return 0;
  char *equals = strchr(name, '=');
  if (!equals) return fail(f, 0, "%s:%d: no '='; write long-name=value", path, number);
  *equals = 0;
  const char *text = trim(equals + 1);
  size_t bytes = strlen(text) + 1;
  if (bytes > sizeof o->config_text - o->config_used) return fail(f, 0, "%s:%d: file too long; shorten it", path, number);
  char *value = memcpy(o->config_text + o->config_used, text, bytes);
  o->config_used += bytes;
  struct failure inner;
  if (!strcmp(trim(name), "config")) return fail(f, 0, "%s:%d: config files do not nest", path, number);
  int rc = options_set(o, trim(name), value, &inner);
  return rc ? fail(f, 0, "%s:%d: %s", path, number, inner.text) : 0;
}

int config_read(struct options *o, const char *path, struct failure *f) {
  FILE *file = fopen(path, "re");
  if (!file) return fail(f, errno, "--config: %s: %s; check the path", path, strerror(errno));
  char line[FILTER_BYTES_MAX + 64];
  int rc = 0;
  for (int number = 1; !rc && fgets(line, sizeof line, file); number++) {
    if (!strchr(line, '\n') && !feof(file))
      rc = fail(f, 0, "%s:%d: line too long; shorten it", path, number);
    else
      rc = apply_line(o, path, number, line, f);
  }
  fclose(file);
  return rc;
}
