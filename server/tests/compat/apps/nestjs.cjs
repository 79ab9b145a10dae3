// NestJS on Express, its decorators called by hand: no compiler is needed.
'use strict';

require('reflect-metadata');
const common = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { interval, map, take } = require('rxjs');

function decorate(type, method, decorators, parameters = []) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  for (const decorator of decorators) decorator(type.prototype, method, descriptor);
  parameters.forEach((decorator, index) => decorator(type.prototype, method, index));
}

class Cats {
  all = [];
}
common.Injectable()(Cats);

class CatsController {
  constructor(cats) {
    this.cats = cats;
  }
  list() {
    return this.cats.all;
  }
  add(cat) {
    this.cats.all.push(cat);
    return { count: this.cats.all.length };
  }
  events() {
    return interval(5).pipe(take(3), map((n) => ({ data: { n } })));
  }
  file() {
    return new common.StreamableFile(Buffer.alloc(70_000, 9), { type: 'image/gif', length: 70_000 });
  }
  secret() {
    return 'secret';
  }
  one(id) {
    const cat = this.cats.all[id];
    if (!cat) throw new common.NotFoundException(`no cat ${id}`);
    return cat;
  }
}
Reflect.defineMetadata('design:paramtypes', [Cats], CatsController);
common.Controller('cats')(CatsController);

class Guard {
  canActivate(context) {
    return context.switchToHttp().getRequest().headers.authorization === 'let me in';
  }
}
common.Injectable()(Guard);

decorate(CatsController, 'list', [common.Get()]);
decorate(CatsController, 'events', [common.Sse('events')]);
decorate(CatsController, 'file', [common.Get('file')]);
decorate(CatsController, 'secret', [common.Get('secret'), common.UseGuards(Guard), common.Header('X-Guarded', 'yes')]);
decorate(CatsController, 'one', [common.Get(':id')], [common.Param('id', new common.ParseIntPipe())]);
decorate(CatsController, 'add', [common.Post(), common.HttpCode(202)], [common.Body()]);

class AppModule {}
common.Module({ controllers: [CatsController], providers: [Cats] })(AppModule);

async function main() {
  const app = await NestFactory.create(AppModule, { logger: false });
  app.enableCors();
  app.enableShutdownHooks();
  await app.listen(process.env.PORT, '127.0.0.1');
}
main();
