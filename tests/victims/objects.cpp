/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C++ in all its dealings: exceptions through many frames and from thread to thread, casts that
 * need type information, containers that live long, strings, streams, locks, condition variables,
 * futures, statics and thread-local objects that are made when they are first needed.  Every count
 * has to come out exact.
 */
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <typeinfo>
#include <unordered_map>
#include <vector>

extern "C" {
#include "tests/lib/victim.h"
}

namespace
{

std::atomic<bool> g_end;
std::atomic<uint64_t> g_thrown, g_cast, g_kept, g_passed, g_written, g_promised;

/* --- exceptions: what is between throw and catch is destroyed, and what was thrown arrives --- */

thread_local int t_alive;

struct Guest {
    std::string name;
    explicit Guest(uint64_t number) : name("guest number " + std::to_string(number))
    {
        t_alive++;
    }
    ~Guest()
    {
        t_alive--;
    }
};

class Refusal : public std::runtime_error
{
  public:
    Refusal(uint64_t number, const std::string &why) : std::runtime_error(why), number(number)
    {
    }
    uint64_t number;
};

uint64_t descend(int depth, uint64_t seed)
{
    Guest guest(seed);
    auto owned = std::make_unique<Guest>(seed + 1);

    if (depth == 0)
        throw Refusal(seed, guest.name + " and " + owned->name);
    try {
        return descend(depth - 1, victim_mix(seed)) + 1;
    } catch (const Refusal &refusal) {
        if (depth % 5 == 0)
            std::throw_with_nested(Refusal(refusal.number + 1, "again"));
        throw;
    }
}

int nested(const std::exception &error)
{
    try {
        std::rethrow_if_nested(error);
    } catch (const std::exception &inner) {
        return nested(inner) + 1;
    }
    return 0;
}

void throw_for_ever(uint64_t seed)
{
    for (uint64_t round = 0; !g_end; round++) {
        int depth = int(round % 23);
        uint64_t last = seed + round;
        std::exception_ptr kept;

        for (int i = 0; i < depth; i++)
            last = victim_mix(last);
        try {
            descend(depth, seed + round);
            victim_fail("nothing was thrown");
        } catch (const std::logic_error &) {
            victim_fail("caught as what it is not");
        } catch (const Refusal &refusal) {
            VICTIM_CHECK_THAT(refusal.number == last + uint64_t(depth / 5),
                              "another refusal arrived");
            VICTIM_CHECK_THAT(nested(refusal) == depth / 5, "nested %d deep, not %d",
                              nested(refusal), depth / 5);
            kept = std::current_exception();
        }
        VICTIM_CHECK_THAT(t_alive == 0, "%d objects were not destroyed", t_alive);
        auto other = std::async(std::launch::async, [kept] { std::rethrow_exception(kept); });
        try {
            other.get();
            victim_fail("nothing came from the other thread");
        } catch (const Refusal &refusal) {
            VICTIM_CHECK_THAT(refusal.number == last + uint64_t(depth / 5), "another one came");
        }
        g_thrown++;
    }
}

/* --- type information --- */

struct Shape {
    virtual ~Shape() = default;
    virtual uint64_t size() const = 0;
};
struct Coloured {
    virtual ~Coloured() = default;
    uint64_t colour = 0;
};
struct Square : virtual Shape {
    uint64_t side = 0;
    uint64_t size() const override
    {
        return side * side;
    }
};
struct Wall : Square, Coloured {
};
struct Line : virtual Shape {
    uint64_t length = 0;
    uint64_t size() const override
    {
        return length;
    }
};

std::shared_ptr<Shape> make_shape(uint64_t number)
{
    if (number % 3 == 0) {
        auto wall = std::make_shared<Wall>();
        wall->side = number;
        wall->colour = victim_mix(number);
        return wall;
    }
    if (number % 3 == 1) {
        auto square = std::make_shared<Square>();
        square->side = number;
        return square;
    }
    auto line = std::make_shared<Line>();
    line->length = number;
    return line;
}

void cast_for_ever()
{
    std::vector<std::shared_ptr<Shape>> shapes;

    for (uint64_t i = 0; i < 5000; i++)
        shapes.push_back(make_shape(i));
    for (uint64_t round = 0; !g_end; round++) {
        uint64_t number = victim_mix(round) % shapes.size();
        Shape &shape = *shapes[number];
        auto *coloured = dynamic_cast<Coloured *>(&shape);

        VICTIM_CHECK_THAT((coloured != nullptr) == (number % 3 == 0), "a cast went wrong");
        VICTIM_CHECK_THAT(!coloured || coloured->colour == victim_mix(number), "another colour");
        VICTIM_CHECK_THAT((typeid(shape) == typeid(Line)) == (number % 3 == 2), "another type");
        VICTIM_CHECK_THAT(shape.size() == (number % 3 == 2 ? number : number * number), "size");
        shapes[number] = make_shape(number);
        try {
            (void)dynamic_cast<Line &>(*shapes[number]);
            VICTIM_CHECK_THAT(number % 3 == 2, "a bad cast was not refused");
        } catch (const std::bad_cast &) {
            VICTIM_CHECK_THAT(number % 3 != 2, "a good cast was refused");
        }
        g_cast++;
    }
}

/* --- containers that hold the same in two orders --- */

std::mutex g_lock;
std::map<std::string, uint64_t> g_sorted;
std::unordered_map<std::string, uint64_t> g_hashed;
uint64_t g_sum;

void keep_for_ever(uint64_t seed)
{
    for (uint64_t round = 0; !g_end; round++) {
        uint64_t number = victim_mix(seed + round) % 20000;
        std::string key = "a key that is not short, of number " + std::to_string(number);
        std::lock_guard<std::mutex> hold(g_lock);

        if (number % 4 == round % 4) {
            auto found = g_sorted.find(key);
            VICTIM_CHECK_THAT((found != g_sorted.end()) == (g_hashed.count(key) == 1),
                              "not in both");
            if (found != g_sorted.end()) {
                g_sum -= found->second;
                g_sorted.erase(found);
                g_hashed.erase(key);
            }
        } else {
            g_sorted[key] += round;
            g_hashed[key] += round;
            g_sum += round;
        }
        g_kept++;
    }
}

void check_kept()
{
    std::lock_guard<std::mutex> hold(g_lock);
    uint64_t sum = 0;

    for (const auto &[key, value] : g_sorted) {
        sum += value;
        auto found = g_hashed.find(key);
        VICTIM_CHECK_THAT(found != g_hashed.end() && found->second == value,
                          "not the same in both");
    }
    VICTIM_CHECK_THAT(sum == g_sum, "the sum is %lu, not %lu", sum, g_sum);
    VICTIM_CHECK_THAT(g_sorted.size() == g_hashed.size(), "one has more");
    victim_value("kept", "%lu", g_sorted.size());
}

/* --- from thread to thread --- */

std::mutex g_queue_lock;
std::condition_variable g_filled, g_emptied;
std::deque<std::function<uint64_t()>> g_queue;
bool g_closed;
uint64_t g_put, g_taken;

void produce()
{
    for (uint64_t round = 0; !g_end; round++) {
        std::vector<uint64_t> numbers(round % 300, round);
        std::unique_lock<std::mutex> hold(g_queue_lock);

        g_emptied.wait(hold, [] { return g_queue.size() < 50; });
        g_put += round * (round % 300);
        g_queue.push_back([numbers = std::move(numbers)] {
            return std::accumulate(numbers.begin(), numbers.end(), uint64_t(0));
        });
        g_filled.notify_one();
    }
    std::lock_guard<std::mutex> hold(g_queue_lock);
    g_closed = true;
    g_filled.notify_all();
}

void consume()
{
    std::unique_lock<std::mutex> hold(g_queue_lock);

    for (;;) {
        g_filled.wait(hold, [] { return g_closed || !g_queue.empty(); });
        if (g_queue.empty())
            return;
        auto task = std::move(g_queue.front());
        g_queue.pop_front();
        g_emptied.notify_one();
        hold.unlock();
        uint64_t result = task();
        hold.lock();
        g_taken += result;
        g_passed++;
    }
}

/* --- streams, statics, futures --- */

const std::string &once(int which)
{
    static const std::string first = "made once", second = first + ", and this later";
    return which ? second : first;
}

void write_for_ever()
{
    std::string path = victim_path("numbers");

    for (uint64_t round = 1; !g_end; round++) {
        double number = double(victim_mix(round) % 1000000) / 64, back = 0;
        std::string word, rest;
        {
            std::ofstream out(path, round % 100 ? std::ios::app : std::ios::trunc);
            out.precision(17);
            out << "line " << std::hex << round << ' ' << std::dec << number << '\n';
        }
        std::ifstream in(path);
        while (std::getline(in, word))
            rest = word;
        std::istringstream line(rest);
        uint64_t read = 0;
        line >> word >> std::hex >> read >> std::dec >> back;
        VICTIM_CHECK_THAT(line && word == "line" && read == round && back == number,
                          "line %lu came back as \"%s\"", round, rest.c_str());
        VICTIM_CHECK_THAT(once(1) == "made once, and this later", "a static object is another");
        g_written++;
    }
}

void promise_for_ever()
{
    for (uint64_t round = 0; !g_end; round++) {
        std::promise<std::string> promise;
        auto future = promise.get_future();
        std::thread fulfiller([&promise, round] {
            thread_local std::string mine = once(0);
            mine += std::to_string(round);
            promise.set_value(mine);
        });

        VICTIM_CHECK_THAT(future.get() == "made once" + std::to_string(round), "another promise");
        fulfiller.join();
        g_promised++;
    }
}

struct Early {
    std::vector<int> numbers;
    Early() : numbers(1000, 7)
    {
        std::cout << "made before main" << std::endl;
    }
    ~Early()
    {
        std::cout << "destroyed behind main " << numbers.at(999) << std::endl;
    }
} g_early;

void check(std::vector<uint64_t> &before)
{
    const char *const names[] = {"thrown", "cast", "changed", "passed", "written", "promised"};
    std::vector<uint64_t> now = {g_thrown, g_cast, g_kept, g_passed, g_written, g_promised};

    for (size_t i = 0; i < now.size(); i++) {
        victim_value(names[i], "%lu", now[i]);
        VICTIM_CHECK_THAT(now[i] > before[i], "%s stands still at %lu", names[i], now[i]);
    }
    before = now;
    check_kept();
}

} // namespace

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    std::vector<uint64_t> before(6);
    std::vector<std::thread> threads;
    threads.emplace_back(throw_for_ever, 1);
    threads.emplace_back(throw_for_ever, 1000000);
    threads.emplace_back(cast_for_ever);
    threads.emplace_back(keep_for_ever, 1);
    threads.emplace_back(keep_for_ever, 77777777);
    threads.emplace_back(produce);
    threads.emplace_back(consume);
    threads.emplace_back(consume);
    threads.emplace_back(write_for_ever);
    threads.emplace_back(promise_for_ever);
    victim_ready();
    while (victim_wait()) {
        check(before);
        victim_answer();
        victim_sleep_ms(100);
    }
    victim_sleep_ms(100);
    check(before);
    g_end = true;
    {
        std::lock_guard<std::mutex> hold(g_queue_lock);
        g_emptied.notify_all();
    }
    for (auto &thread : threads)
        thread.join();
    VICTIM_CHECK_THAT(g_put == g_taken, "%lu went in, %lu came out", g_put, g_taken);
    return victim_finish();
}
