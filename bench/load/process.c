// What a server costs: utime and stime of every thread of every process, in nanoseconds from schedstat, and its memory
// from smaps_rollup. schedstat forgets threads that have ended, /proc/PID/stat does not but counts in ticks of 10 ms:
// the larger of the two differences is the cost (cpu_sample keeps the larger sum a process).
#include "load.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MOST 256
static int roots[16], root_count;
static int tree[MOST], tree_count;

void process_add_root(int pid) {
  if (root_count == 16) die("more than 16 --pid");
  roots[root_count++] = pid;
}

static bool read_file(const char *path, char *out, size_t room) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, out, room - 1);
  close(fd);
  if (n < 0) return false;
  out[n] = 0;
  return true;
}

static int parent_of(int pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  if (!read_file(path, text, sizeof text)) return -1;
  char *after = strrchr(text, ')');
  int parent = -1;
  if (after) sscanf(after + 1, " %*c %d", &parent);
  return parent;
}

static bool in_tree(int pid) {
  for (int i = 0; i < tree_count; i++)
    if (tree[i] == pid) return true;
  return false;
}

void process_find_tree(void) {
  static int pids[32768], parents[32768];
  int n = 0;
  DIR *dir = opendir("/proc");
  if (!dir) die("cannot read /proc");
  for (struct dirent *e; (e = readdir(dir)) && n < 32768;) {
    if (!isdigit((unsigned char)e->d_name[0])) continue;
    int pid = 0;
    sscanf(e->d_name, "%d", &pid);
    pids[n] = pid;
    parents[n++] = parent_of(pid);
  }
  closedir(dir);
  tree_count = 0;
  for (int i = 0; i < root_count; i++) tree[tree_count++] = roots[i];
  for (bool grew = true; grew;) {
    grew = false;
    for (int i = 0; i < n && tree_count < MOST; i++)
      if (!in_tree(pids[i]) && in_tree(parents[i])) {
        tree[tree_count++] = pids[i];
        grew = true;
      }
  }
}

static uint64_t threads_ns(int pid, int *threads) {
  char path[96], text[128];
  uint64_t sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *dir = opendir(path);
  if (!dir) return 0;
  for (struct dirent *e; (e = readdir(dir));) {
    if (!isdigit((unsigned char)e->d_name[0])) continue;
    snprintf(path, sizeof path, "/proc/%d/task/%.12s/schedstat", pid, e->d_name);
    unsigned long long ns = 0;
    if (read_file(path, text, sizeof text) && sscanf(text, "%llu", &ns) == 1) sum += ns;
    if (threads) ++*threads;
  }
  closedir(dir);
  return sum;
}

static uint64_t stat_ns(int pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  if (!read_file(path, text, sizeof text)) return 0;
  char *after = strrchr(text, ')');
  unsigned long long user = 0, system = 0;
  if (after) sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
  return (user + system) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t machine_ns(uint64_t *steal) {
  char text[4096];
  unsigned long long f[8] = {0}, usage = 0;
  uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
  if (read_file("/proc/stat", text, sizeof text))
    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", f, f + 1, f + 2, f + 3, f + 4, f + 5, f + 6, f + 7);
  *steal = f[7] * tick;
  // Exact where a root control group tells it (v1, then v2), else the ticks.
  if (read_file("/sys/fs/cgroup/cpuacct/cpuacct.usage", text, sizeof text) && sscanf(text, "%llu", &usage) == 1) return usage;
  if (read_file("/sys/fs/cgroup/cpu.stat", text, sizeof text) && sscanf(text, "usage_usec %llu", &usage) == 1) return usage * 1000;
  return (f[0] + f[1] + f[2] + f[5] + f[6]) * tick;
}

cpu_sample process_cpu(void) {
  cpu_sample s = {.at = now_ns()};
  for (int i = 0; i < tree_count; i++) {
    uint64_t exact = threads_ns(tree[i], NULL), ticks = stat_ns(tree[i]);
    s.server_cpu += exact > ticks ? exact : ticks;
  }
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  s.own_cpu = (uint64_t)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1000000000u +
              (uint64_t)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) * 1000u;
  s.all_cpu = machine_ns(&s.steal_cpu);
  return s;
}

memory_sample process_memory(void) {
  memory_sample m = {0};
  process_find_tree();
  for (int i = 0; i < tree_count; i++) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", tree[i]);
    if (!read_file(path, text, sizeof text)) continue;
    unsigned long long rss = 0, pss = 0;
    char *line = strstr(text, "Rss:");
    if (line) sscanf(line, "Rss: %llu", &rss);
    line = strstr(text, "Pss:");
    if (line) sscanf(line, "Pss: %llu", &pss);
    m.rss_kb += rss;
    m.pss_kb += pss;
    m.processes++;
    threads_ns(tree[i], &m.threads);
  }
  return m;
}
