/* A Modbus peer on libmodbus: a master that exchanges with a wand, and a slave of plain registers.
 *
 *   modbus_peer master rtu PATH SECONDS [checked]     modbus_peer master tcp PORT SECONDS [checked]
 *   modbus_peer slave rtu                             modbus_peer slave tcp
 *
 * The master sends one armed order after the other by function 23, each echoing the status before, as the control loop
 * does. Checked, it is strict: every reply must be what docs/wire.md promises, functions 3, 4, 6 and 16 are used between
 * the exchanges, and it ends with a stop. Both print JSON lines; the master ends with 1 after the first error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { IDENTITY = 0x0000, STATUS = 0x0100, ORDER = 0x0200, SCRATCH = 0x02F0, UNIT = 1, TOKEN = 0x5E55 };
enum { IDENTITIES = 24, STATUSES = 32, ORDERS = 8, LEASE_MS = 1000, BETWEEN = 16 };

static modbus_t *line;
static long exchanges, others;

static void fail(const char *what)
{
    printf("{\"error\": \"%s: %s\", \"exchanges\": %ld}\n", what, modbus_strerror(errno), exchanges);
    exit(1);
}

static void must(int good, const char *what)
{
    if (!good)
        fail(what);
}

static double now_s(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double) at.tv_sec + 1e-9 * (double) at.tv_nsec;
}

static int degc_plausible(uint16_t word)
{
    int16_t centi = (int16_t) word;
    return centi > 1500 && centi < 3500;
}

static void look_around(uint16_t boot_id, uint16_t number)
{
    uint16_t words[IDENTITIES], again[IDENTITIES], one;
    must(modbus_read_registers(line, IDENTITY, IDENTITIES, words) == IDENTITIES, "FC 3 of the identity");
    must(words[0] == 0x4357 && words[1] == 0x0100 && words[8] == boot_id && words[9] == 1, "identity words");
    must(modbus_read_input_registers(line, IDENTITY, IDENTITIES, again) == IDENTITIES, "FC 4 of the identity");
    must(memcmp(words, again, sizeof words) == 0, "FC 3 and FC 4 agree");
    must(modbus_write_register(line, SCRATCH, number) == 1, "FC 6 of the scratch word");
    must(modbus_read_registers(line, SCRATCH, 1, &one) == 1 && one == number, "the scratch word reads back");
    one = (uint16_t) ~number;
    must(modbus_write_registers(line, SCRATCH, 1, &one) == 1, "FC 16 of the scratch word");
    must(modbus_read_input_registers(line, SCRATCH, 1, words) == 1 && words[0] == one, "the scratch word by FC 4");
    others += 6;
}

static void master(double seconds, int checked)
{
    uint16_t identity[IDENTITIES], status[STATUSES], order[ORDERS] = {0};
    must(modbus_read_registers(line, IDENTITY, IDENTITIES, identity) == IDENTITIES, "FC 3 of the identity");
    order[5] = identity[8];
    order[6] = TOKEN;
    must(modbus_write_registers(line, ORDER, ORDERS, order) == ORDERS, "FC 16 of a stop");
    must(modbus_read_registers(line, STATUS, STATUSES, status) == STATUSES, "FC 3 of the status");
    if (checked)
        must(status[22] == TOKEN && degc_plausible(status[8]) && degc_plausible(status[9]), "status words");
    order[2] = 800;
    order[3] = LEASE_MS;
    double began = now_s(CLOCK_MONOTONIC), cpu = now_s(CLOCK_PROCESS_CPUTIME_ID), end = began + seconds;
    while (now_s(CLOCK_MONOTONIC) < end) {
        order[0]++;
        order[4] = status[0];
        must(modbus_write_and_read_registers(line, ORDER, ORDERS, order, STATUS, STATUSES, status) == STATUSES, "FC 23");
        exchanges++;
        if (!checked)
            continue;
        must(status[19] == order[0] && status[22] == TOKEN && status[28] == identity[8], "order in force");
        must(status[3] == 1 && (status[4] & 0x0101) == 0x0101 && status[17] <= LEASE_MS, "armed, lease, relay");
        must(degc_plausible(status[8]) && degc_plausible(status[9]) && status[14] == 0, "plate temperatures, no drive");
        if (exchanges % BETWEEN == 0)
            look_around(identity[8], order[0]);
    }
    double took = now_s(CLOCK_MONOTONIC) - began;
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    order[0]++;
    order[2] = order[3] = order[4] = 0;
    must(modbus_write_and_read_registers(line, ORDER, ORDERS, order, STATUS, STATUSES, status) == STATUSES, "FC 23 stop");
    if (checked)
        must(status[3] == 0 && (status[4] & 0x0101) == 0 && status[17] == 0 && status[25] == 0, "stopped, relay open");
    printf("{\"exchanges\": %ld, \"others\": %ld, \"seconds\": %.6f, \"cpu_s\": %.6f, \"plate_degc\": %.2f}\n", exchanges,
           others, took, cpu, (int16_t) status[8] / 100.0);
}

static void slave(int rtu)
{
    modbus_mapping_t *registers = modbus_mapping_new(0, 0, SCRATCH + 1, 0);
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    must(registers != NULL, "registers");
    if (rtu) {
        int device, held;
        char path[64];
        must(openpty(&device, &held, path, NULL, NULL) == 0, "openpty");
        struct termios raw;
        tcgetattr(held, &raw);
        cfmakeraw(&raw);
        tcsetattr(held, TCSANOW, &raw);
        line = modbus_new_rtu(path, 115200, 'N', 8, 1);
        must(line != NULL, "modbus_new_rtu");
        modbus_set_socket(line, device);
        printf("{\"rtu\": \"%s\"}\n", path);
    } else {
        line = modbus_new_tcp("127.0.0.1", 0);
        must(line != NULL, "modbus_new_tcp");
        int listener = modbus_tcp_listen(line, 1);
        must(listener >= 0, "modbus_tcp_listen");
        struct sockaddr_in at;
        socklen_t size = sizeof at;
        getsockname(listener, (struct sockaddr *) &at, &size);
        printf("{\"tcp\": %d}\n", ntohs(at.sin_port));
        fflush(stdout);
        must(modbus_tcp_accept(line, &listener) >= 0, "modbus_tcp_accept");
    }
    fflush(stdout);
    modbus_set_slave(line, UNIT);
    for (;;) {
        int size = modbus_receive(line, request);
        if (size > 0)
            modbus_reply(line, request, size, registers);
        else if (size < 0 && !rtu)
            exit(0);
    }
}

int main(int count, char **words)
{
    int rtu = count > 2 && strcmp(words[2], "rtu") == 0;
    if (count == 3 && strcmp(words[1], "slave") == 0) {
        slave(rtu);
        return 0;
    }
    if (count < 5 || strcmp(words[1], "master") != 0) {
        fprintf(stderr, "usage: modbus_peer master rtu|tcp WHERE SECONDS [checked] | modbus_peer slave rtu|tcp\n");
        return 2;
    }
    line = rtu ? modbus_new_rtu(words[3], 115200, 'N', 8, 1) : modbus_new_tcp("127.0.0.1", atoi(words[3]));
    must(line != NULL, "the line");
    modbus_set_slave(line, UNIT);
    modbus_set_response_timeout(line, 2, 0);
    must(modbus_connect(line) == 0, "connect");
    master(atof(words[4]), count > 5 && strcmp(words[5], "checked") == 0);
    modbus_close(line);
    return 0;
}
