// Emoji by their short names, and the emoji picker.

import { $, h } from "./dom.js";
import { recall, keep } from "./state.js";

export const QUICK = ["👍", "❤️", "😂", "🎉"];

const NAMES = `
smile 😄 grin 😁 joy 😂 rofl 🤣 slight_smile 🙂 wink 😉 blush 😊 innocent 😇 heart_eyes 😍
star_struck 🤩 kiss 😘 yum 😋 tongue 😛 zany 🤪 hug 🤗 thinking 🤔 shush 🤫 zipper 🤐 neutral 😐
smirk 😏 unamused 😒 rolling_eyes 🙄 grimace 😬 relieved 😌 pensive 😔 sleepy 😪 sleeping 😴 mask 😷
sick 🤢 sneeze 🤧 hot 🥵 cold 🥶 dizzy 😵 exploding 🤯 cowboy 🤠 party 🥳 cool 😎 nerd 🤓 confused 😕
worried 😟 frown 🙁 open_mouth 😮 astonished 😲 flushed 😳 pleading 🥺 fearful 😨 cry 😢 sob 😭
scream 😱 disappointed 😞 sweat 😓 weary 😩 yawn 🥱 triumph 😤 angry 😠 rage 😡 cursing 🤬 devil 😈
skull 💀 poop 💩 clown 🤡 ghost 👻 alien 👽 robot 🤖 see_no_evil 🙈 heart ❤️ orange_heart 🧡
yellow_heart 💛 green_heart 💚 blue_heart 💙 purple_heart 💜 broken_heart 💔 hundred 💯 boom 💥
sweat_drops 💦 dash 💨 zzz 💤 wave 👋 ok_hand 👌 victory ✌️ crossed_fingers 🤞 love_you 🤟 metal 🤘
point_left 👈 point_right 👉 point_up 👆 point_down 👇 +1 👍 -1 👎 fist ✊ punch 👊 clap 👏
raised_hands 🙌 handshake 🤝 pray 🙏 writing ✍️ muscle 💪 brain 🧠 eyes 👀 shrug 🤷 facepalm 🤦
dog 🐶 cat 🐱 fox 🦊 bear 🐻 panda 🐼 pig 🐷 frog 🐸 monkey 🐵 chicken 🐔 penguin 🐧 bird 🐦 owl 🦉
bee 🐝 snail 🐌 crab 🦀 octopus 🐙 fish 🐟 dolphin 🐬 whale 🐳 shark 🦈 turtle 🐢 unicorn 🦄 rose 🌹
sunflower 🌻 tree 🌳 cactus 🌵 leaves 🍃 clover 🍀 mushroom 🍄 apple 🍎 banana 🍌 grapes 🍇
strawberry 🍓 pizza 🍕 burger 🍔 fries 🍟 taco 🌮 sushi 🍣 cookie 🍪 cake 🎂 coffee ☕ tea 🍵 beer 🍺
cheers 🍻 wine 🍷 rum 🥃 sun ☀️ moon 🌙 star ⭐ sparkles ✨ cloud ☁️ rain 🌧️ snow ❄️ rainbow 🌈 zap ⚡
fire 🔥 ocean 🌊 earth 🌍 rocket 🚀 ship 🚢 sailboat ⛵ anchor ⚓ car 🚗 bike 🚲 train 🚆 plane ✈️
house 🏠 tent ⛺ soccer ⚽ game 🎮 dice 🎲 art 🎨 music 🎵 guitar 🎸 mic 🎤 movie 🎬 trophy 🏆 gift 🎁
balloon 🎈 tada 🎉 phone 📱 laptop 💻 bulb 💡 book 📖 memo 📝 calendar 📅 pin 📌 scissors ✂️ lock 🔒
key 🔑 hammer 🔨 wrench 🔧 bug 🐛 package 📦 mail 📧 money 💰 clock 🕒 hourglass ⏳ bell 🔔 check ✅
cross ❌ warning ⚠️ question ❓ exclamation ❗ recycle ♻️ pirate 🏴‍☠️ white_flag 🏳️ checkered_flag 🏁`;

const WORDS = NAMES.trim().split(/\s+/);
export const EMOJI = WORDS.flatMap((word, at) => (at % 2 ? [] : [[word, WORDS[at + 1]]]));

export function lookUp(start, most) {
  const word = start.toLowerCase();
  const first = EMOJI.filter(([name]) => name.startsWith(word));
  const others = EMOJI.filter(([name]) => !name.startsWith(word) && name.includes(word));
  return [...first, ...others].slice(0, most);
}

// Replaces short names by their emoji; not in a text that contains code.
export function replaced(text) {
  if (text.includes("`")) return text;
  return text.replace(/(?<![\w:]):([a-z_+1-]+):/g,
    (all, name) => EMOJI.find(([short]) => short === name)?.[1] ?? all);
}

// Shows the emoji picker; the latest picks come first.
export function pick(near, then) {
  $("picker")?.remove();
  const used = recall("emoji", QUICK);
  const grid = h("div", { class: "grid" });
  const choose = (emoji) => {
    keep("emoji", [emoji, ...used.filter((earlier) => earlier !== emoji)].slice(0, 16));
    picker.close();
    then(emoji);
  };
  const button = ([name, emoji]) => h("button", {
    type: "button", "aria-label": name.replaceAll("_", " "), title: `:${name}:`,
    onclick: () => choose(emoji),
  }, emoji);
  const fill = () => {
    const words = input.value.trim();
    const nameOf = (emoji) => EMOJI.find((entry) => entry[1] === emoji)?.[0] ?? "";
    const recent = used.map((emoji) => [nameOf(emoji), emoji]);
    const rest = words ? lookUp(words, 60) : EMOJI.filter(([, emoji]) => !used.includes(emoji));
    grid.replaceChildren(...(words ? rest : [...recent, ...rest]).map(button));
  };
  const input = h("input", {
    type: "text", enterkeyhint: "go", "aria-label": "Find an emoji",
    placeholder: "Find an emoji", oninput: fill,
    onkeydown: (event) => {
      if (event.key !== "Enter" && event.key !== "ArrowDown") return;
      event.preventDefault();
      const first = grid.querySelector("button");
      if (event.key === "Enter") first?.click();
      else first?.focus();
    },
  });
  const picker = h("dialog", { id: "picker", "aria-label": "Emoji" }, input, grid);
  picker.addEventListener("click", ({ target }) => { if (target === picker) picker.close(); });
  picker.addEventListener("close", () => {
    picker.remove();
    near?.isConnected && near.focus();
  });
  grid.addEventListener("keydown", (event) => {
    const all = [...grid.children];
    const columns = all.filter((cell) => cell.offsetTop === all[0].offsetTop).length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    (all[all.indexOf(document.activeElement) + step] ?? input).focus();
  });
  fill();
  document.body.append(picker);
  picker.showModal();
}
