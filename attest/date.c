/* SPDX-License-Identifier: Apache-2.0 */
/* See date.h.  Gregorian calendar; day numbers are counted from 1970-01-01. */
#include "attest/date.h"

enum { DAY_s = 86400 };

static bool leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t month_days(uint32_t year, uint32_t month)
{
    if (month == 2)
        return leap(year) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Days of all years from 1970 to the one before this. */
static uint64_t days_before_year(uint32_t year)
{
    uint32_t y = year - 1;
    return (uint64_t)(year - 1970) * 365 + (y / 4 - y / 100 + y / 400) -
           (1969 / 4 - 1969 / 100 + 1969 / 400);
}

bool date_digits(struct span s, size_t at, size_t count, uint16_t *out)
{
    uint32_t value = 0;
    *out = 0;
    if (at > s.length || count > s.length - at)
        return false;
    for (size_t i = at; i < at + count; i++) {
        if (s.bytes[i] < '0' || s.bytes[i] > '9')
            return false;
        value = value * 10 + (s.bytes[i] - '0');
    }
    *out = (uint16_t)value;
    return true;
}

bool date_to_seconds(const struct date *date, uint64_t *out_seconds)
{
    *out_seconds = 0;
    if (date->year < 1970 || date->year > 9999 || date->month < 1 || date->month > 12 ||
        date->day < 1 || date->day > month_days(date->year, date->month) || date->hour > 23 ||
        date->minute > 59 || date->second > 59)
        return false;
    uint64_t days = days_before_year(date->year) + date->day - 1;
    for (uint32_t month = 1; month < date->month; month++)
        days += month_days(date->year, month);
    *out_seconds = days * DAY_s + date->hour * 3600u + date->minute * 60u + date->second;
    return true;
}

bool date_parse(struct span text, uint64_t *out_seconds)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    struct date date;
    *out_seconds = 0;
    if (text.length != sizeof form - 1)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (form[i] != '0' && text.bytes[i] != (uint8_t)form[i])
            return false;
    return date_digits(text, 0, 4, &date.year) && date_digits(text, 5, 2, &date.month) &&
           date_digits(text, 8, 2, &date.day) && date_digits(text, 11, 2, &date.hour) &&
           date_digits(text, 14, 2, &date.minute) && date_digits(text, 17, 2, &date.second) &&
           date_to_seconds(&date, out_seconds);
}

static void put_digits(char *out, uint32_t value, size_t count)
{
    while (count-- > 0) {
        out[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void date_text(uint64_t seconds, char out[DATE_TEXT_SIZE])
{
    static const struct date last = {9999, 12, 31, 23, 59, 59};
    uint64_t maximum;
    date_to_seconds(&last, &maximum);
    if (seconds > maximum)
        seconds = maximum;
    uint64_t day = seconds / DAY_s;
    uint32_t rest = (uint32_t)(seconds % DAY_s), month = 1;
    uint32_t year = 1970 + (uint32_t)(day / 366); /* at or before the right one */
    while (days_before_year(year + 1) <= day)
        year++;
    day -= days_before_year(year);
    while (day >= month_days(year, month))
        day -= month_days(year, month++);
    memcpy(out, "0000-00-00T00:00:00Z", DATE_TEXT_SIZE);
    put_digits(&out[0], year, 4);
    put_digits(&out[5], month, 2);
    put_digits(&out[8], (uint32_t)day + 1, 2);
    put_digits(&out[11], rest / 3600, 2);
    put_digits(&out[14], rest / 60 % 60, 2);
    put_digits(&out[17], rest % 60, 2);
}
