import "katex/dist/katex.min.css";
import DefaultTheme from "vitepress/theme";
import { h } from "vue";
import "./style.css";

const commands = `foldin prepare ratings.csv --items movies.csv --out data/mine
foldin train data/mine --model mult-vae --out runs/mine
foldin recommend runs/mine --history 'Alien (1979)'`;

export default {
  extends: DefaultTheme,
  Layout: () =>
    h(DefaultTheme.Layout, null, {
      "home-hero-image": () => h("pre", { class: "hero-commands" }, commands),
    }),
};
